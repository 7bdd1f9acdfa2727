import type { QueryClient } from "@tanstack/react-query";
import { createRootRouteWithContext, createRoute, Outlet, redirect } from "@tanstack/react-router";
import { Problem } from "../data/client";
import { meQuery } from "../data/me";
import { projectsQuery } from "../data/projects";
import { NotFound, RouteFailure } from "./Failed";
import { fromMLflow } from "./mlflow";
import { Frame, ProjectShell, Shell } from "./Shell";

/** What every route can use while it loads. */
interface RouterContext {
  queries: QueryClient;
}

/** Leads who has not signed in to the form for it, and back to where they wanted to go. */
function signIn(err: unknown, href: string): never {
  if (err instanceof Problem && err.status === 401) {
    throw redirect({ href: `/signin?next=${encodeURIComponent(href)}`, reloadDocument: true });
  }
  throw err;
}

/** The project of addresses that name none, such as those that MLflow's client prints. */
const DEFAULT_PROJECT = "default";

export const rootRoute = createRootRouteWithContext<RouterContext>()({
  beforeLoad: async ({ context, location }) => {
    const wanted = fromMLflow(`#${location.hash}`);
    if (wanted !== undefined) {
      const under = /^\/p\/([^/]+)/.exec(location.pathname)?.[1] ?? DEFAULT_PROJECT;
      throw redirect({ href: `/p/${under}${wanted}`, replace: true });
    }
    await context.queries
      .ensureQueryData(meQuery)
      .catch((err: unknown) => signIn(err, location.href));
  },
  component: Outlet,
  pendingComponent: Frame,
  pendingMs: 300,
  pendingMinMs: 0,
  errorComponent: ({ error }) => (
    <Shell>
      <RouteFailure error={error} />
    </Shell>
  ),
  notFoundComponent: () => (
    <Shell>
      <NotFound />
    </Shell>
  ),
});

/** Which project the reader looked at last; the browser remembers the name alone. */
const LAST = "fairlead-project";

export const indexRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/",
  beforeLoad: async ({ context }) => {
    const names = await context.queries.ensureQueryData(projectsQuery);
    const last = localStorage.getItem(LAST);
    const project =
      names.find((n) => n === last) ??
      names.find((n) => n !== DEFAULT_PROJECT) ??
      names[0] ??
      DEFAULT_PROJECT;
    throw redirect({ to: "/p/$project", params: { project }, replace: true });
  },
});

/** Everything below /p/<project>. The rooms of src/pages hang below it. */
export const projectRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/p/$project",
  beforeLoad: ({ params }) => localStorage.setItem(LAST, params.project),
  component: ProjectShell,
});
