import { Link, useParams } from "@tanstack/react-router";
import { Page } from "../components/Page";
import { Empty, Failure } from "../components/State";

/** A page that could not be drawn. */
export function RouteFailure({ error, reset }: { error: unknown; reset?: () => void }) {
  return (
    <Page title="Something went wrong">
      <Failure error={error} {...(reset ? { retry: reset } : {})} />
    </Page>
  );
}

/** An address that leads nowhere. */
export function NotFound() {
  const { project } = useParams({ strict: false });
  return (
    <Page title="Nothing is here">
      <Empty title="This address leads nowhere">
        <p>What it named may have been deleted, or the link is not whole.</p>
        {project ? (
          <Link to="/p/$project" params={{ project }}>
            Go to {project}
          </Link>
        ) : (
          <Link to="/">Go home</Link>
        )}
      </Empty>
    </Page>
  );
}
