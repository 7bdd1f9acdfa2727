import { Link, useParams, useRouter } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { Fragment, useEffect, useState } from "react";
import { Page } from "../components/Page";
import { Empty, Failure } from "../components/State";
import { Problem } from "../data/client";
import { useHearing } from "../data/live";
import { meQuery } from "../data/me";
import { projectsQuery } from "../data/projects";

/** A page that could not be drawn. */
export function RouteFailure({ error }: { error: unknown }) {
  const router = useRouter();
  const retry = () => void router.invalidate();
  const missing = error instanceof Problem && error.status === 404;
  // The code of a page is no longer there when another version of the program answers.
  const gone = error instanceof Error && /import|preload/i.test(error.message);
  const hearing = useHearing();
  const [before] = useState(hearing);
  useEffect(() => {
    if (gone && before !== "live" && hearing === "live") window.location.reload();
  }, [gone, before, hearing]);
  return (
    <Page title={missing ? "Nothing is here" : "Something went wrong"}>
      <Failure error={gone ? GONE : error} retry={gone ? () => window.location.reload() : retry} />
    </Page>
  );
}

const GONE =
  "The code of this page did not arrive: the server is stopped, or of another version by now. Load the page again when it runs.";

/** Instead of all pages of a project that is not there, or not for this reader. */
export function NoProject({ error }: { error: unknown }) {
  const { project } = useParams({ from: "/p/$project" });
  const { data: others = [] } = useQuery(projectsQuery);
  const { data: me } = useQuery(meQuery);
  const denied = error instanceof Problem && error.status === 403;
  return (
    <Page title={project}>
      <Failure error={error} {...(denied && { title: "You may not read this project" })} />
      {denied && me && (
        <Empty
          title="An administrator can let you in"
          command={`fairlead role grant ${me.name} viewer -p ${project}`}
        >
          On the server’s machine, or from another one with --server and a token. Then load the page
          again.
        </Empty>
      )}
      {others.length > 0 && (
        <p>
          You may read{" "}
          {others.map((name, i) => (
            <Fragment key={name}>
              {i > 0 && ", "}
              <Link to="/p/$project" params={{ project: name }}>
                {name}
              </Link>
            </Fragment>
          ))}
          .
        </p>
      )}
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
