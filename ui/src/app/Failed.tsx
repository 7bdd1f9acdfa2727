import { Link, useParams, useRouter } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { Fragment, useEffect } from "react";
import { Page } from "../components/Page";
import { Empty, Failure } from "../components/State";
import { Problem } from "../data/client";
import { isCodeMissing } from "./code";
import { useHearing } from "../data/live";
import { meQuery } from "../data/me";
import { projectsQuery } from "../data/projects";

/** A page that could not be drawn. */
export function RouteFailure({ error }: { error: unknown }) {
  const router = useRouter();
  const retry = () => void router.invalidate();
  const missing = error instanceof Problem && error.status === 404;
  const gone = isCodeMissing(error);
  const live = useHearing() === "live";
  useEffect(() => {
    const last = Number(sessionStorage.getItem(LOADED));
    if (!gone || !live || Date.now() - last < AGAIN_MS) return;
    sessionStorage.setItem(LOADED, String(Date.now()));
    window.location.reload();
  }, [gone, live]);
  return (
    <Page title={gone ? "Not here yet" : missing ? "Nothing is here" : "Something went wrong"}>
      <Failure
        error={gone ? (live ? MISSING : AWAY) : error}
        retry={gone ? () => window.location.reload() : retry}
      />
    </Page>
  );
}

/** When a page was last loaded anew for its code, and how soon it is not again. */
const LOADED = "fairlead-loaded";
const AGAIN_MS = 30_000;

const MISSING = "The code of this page did not arrive. Load the page again.";
const AWAY =
  "The code of this page did not arrive, because the server does not answer. It is loaded once it does: start it with fairlead serve";

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
