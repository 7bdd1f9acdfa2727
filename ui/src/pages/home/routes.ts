import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { projectRoute } from "../../app/root";

const home = createRoute({
  getParentRoute: () => projectRoute,
  path: "/",
  component: lazyRouteComponent(() => import("./home"), "Home"),
});

const phases = createRoute({
  getParentRoute: () => projectRoute,
  path: "phases",
  component: lazyRouteComponent(() => import("./phases"), "Phases"),
});

/** The routes of this room, below a project; each draws its page lazily. */
export const routes = [home, phases] as const;
