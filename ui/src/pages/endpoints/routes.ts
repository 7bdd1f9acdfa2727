import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { projectRoute } from "../../app/root";
import { rangeOf, tabOf } from "./search";

const endpoints = createRoute({
  getParentRoute: () => projectRoute,
  path: "endpoints",
  validateSearch: rangeOf,
  component: lazyRouteComponent(() => import("./endpoints"), "Endpoints"),
});

const endpoint = createRoute({
  getParentRoute: () => projectRoute,
  path: "endpoints/$model/$environment",
  validateSearch: (search: Record<string, unknown>) => ({ ...rangeOf(search), ...tabOf(search) }),
  component: lazyRouteComponent(() => import("./endpoint"), "EndpointPage"),
});

const rollout = createRoute({
  getParentRoute: () => projectRoute,
  path: "rollouts/$rollout",
  component: lazyRouteComponent(() => import("./rollout"), "RolloutPage"),
});

/** The routes of this room, below a project; each draws its page lazily. */
export const routes = [endpoints, endpoint, rollout] as const;
