import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { projectRoute } from "../../app/root";
import { readView } from "./view";

const list = createRoute({
  getParentRoute: () => projectRoute,
  path: "experiments",
  validateSearch: (raw: Record<string, unknown>): { q?: string } =>
    typeof raw["q"] === "string" && raw["q"] !== "" ? { q: raw["q"] } : {},
  component: lazyRouteComponent(() => import("./experiments"), "ExperimentsPage"),
});

const trash = createRoute({
  getParentRoute: () => projectRoute,
  path: "experiments/trash",
  component: lazyRouteComponent(() => import("./trash"), "TrashPage"),
});

const experiment = createRoute({
  getParentRoute: () => projectRoute,
  path: "experiments/$experiment",
  validateSearch: readView,
  component: lazyRouteComponent(() => import("./runs"), "ExperimentPage"),
});

const all = createRoute({
  getParentRoute: () => projectRoute,
  path: "runs",
  validateSearch: readView,
  component: lazyRouteComponent(() => import("./runs"), "AllRunsPage"),
});

/** The routes of this room, below a project; each draws its page lazily. */
export const routes = [list, trash, experiment, all] as const;
