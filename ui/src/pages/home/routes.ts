import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { projectRoute } from "../../app/root";

const home = createRoute({
  getParentRoute: () => projectRoute,
  path: "/",
  component: lazyRouteComponent(() => import("./home"), "Home"),
});

/** The routes of this room, below a project; each draws its page lazily. */
export const routes = [home] as const;
