import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { projectRoute } from "../../app/root";
import { runStates, type RunState } from "../../data/pipelines";

/** The views of a run, and of one of its steps. */
export const runViews = ["graph", "timeline", "tries"] as const;
export const stepViews = ["log", "why", "details"] as const;
export type RunView = (typeof runViews)[number];
export type StepView = (typeof stepViews)[number];

/** What a link to the list carries. */
export interface ListSearch {
  state?: RunState;
}

/** What a link to a run carries: what is looked at, and which step, such as train@3. */
export interface RunSearch {
  view?: RunView;
  step?: string;
  part?: StepView;
}

/** Returns a value if it is one of those that there are. */
function among<T extends string>(all: readonly T[], value: unknown): T | undefined {
  return all.find((v) => v === value);
}

const list = createRoute({
  getParentRoute: () => projectRoute,
  path: "pipelines",
  validateSearch: (search: Record<string, unknown>): ListSearch => {
    const state = among(runStates, search["state"]);
    return state ? { state } : {};
  },
  component: lazyRouteComponent(() => import("./list"), "Pipelines"),
});

const run = createRoute({
  getParentRoute: () => projectRoute,
  path: "pipelines/$run",
  validateSearch: (search: Record<string, unknown>): RunSearch => {
    const view = among(runViews, search["view"]);
    const part = among(stepViews, search["part"]);
    const step = search["step"];
    return {
      ...(view && { view }),
      ...(typeof step === "string" && step !== "" && { step }),
      ...(part && { part }),
    };
  },
  component: lazyRouteComponent(() => import("./run"), "PipelineRunPage"),
});

/** The routes of this room, below a project; each draws its page lazily. */
export const routes = [list, run] as const;
