import type { QueryClient } from "@tanstack/react-query";
import { createRouter } from "@tanstack/react-router";
import { routes as audit } from "../pages/audit/routes";
import { routes as data } from "../pages/data/routes";
import { routes as endpoints } from "../pages/endpoints/routes";
import { routes as experiments } from "../pages/experiments/routes";
import { routes as home } from "../pages/home/routes";
import { routes as models } from "../pages/models/routes";
import { routes as monitoring } from "../pages/monitoring/routes";
import { routes as pipelines } from "../pages/pipelines/routes";
import { routes as run } from "../pages/run/routes";
import { NotFound, RouteFailure } from "./Failed";
import { goToPage } from "./focus";
import { indexRoute, projectRoute, rootRoute } from "./root";

const tree = rootRoute.addChildren([
  indexRoute,
  projectRoute.addChildren([
    ...home,
    ...experiments,
    ...run,
    ...pipelines,
    ...models,
    ...endpoints,
    ...monitoring,
    ...data,
    ...audit,
  ]),
]);

/** The router of all pages. */
export function newRouter(queries: QueryClient) {
  let path = "";
  const router = createRouter({
    routeTree: tree,
    context: { queries },
    defaultPreload: "intent",
    defaultPreloadStaleTime: 0,
    defaultErrorComponent: RouteFailure,
    defaultNotFoundComponent: NotFound,
    scrollRestoration: true,
    // Another page begins at its top; another tab or filter of the same stays where it is.
    scrollToTopSelectors: [
      () => (window.location.pathname === path ? null : document.getElementById("main")),
    ],
  });
  router.subscribe("onRendered", ({ fromLocation, toLocation }) => {
    if (fromLocation && toLocation.pathname !== path) goToPage();
    path = toLocation.pathname;
  });
  return router;
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof newRouter>;
  }
}
