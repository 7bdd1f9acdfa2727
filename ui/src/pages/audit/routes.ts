import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { projectRoute } from "../../app/root";
import { readSearch } from "./search";

const audit = createRoute({
  getParentRoute: () => projectRoute,
  path: "audit",
  validateSearch: readSearch,
  component: lazyRouteComponent(() => import("./audit"), "Audit"),
});

/** The routes of this room, below a project; each draws its page lazily. */
export const routes = [audit] as const;
