import { createRoute, lazyRouteComponent, redirect } from "@tanstack/react-router";
import { projectRoute } from "../../app/root";
import { runQuery } from "../../data/run";
import { chartSearch, listOf, type ChartSearch } from "./view";

/** What of a run is shown, as it stands in the address. */
export interface RunSearch extends ChartSearch {
  tab?: "overview" | "charts" | "artifacts" | "logs" | undefined;
  /** The file that is shown; `of` is the logged model whose it is. */
  path?: string | undefined;
  of?: string | undefined;
  /** What is read of the logs: a step such as train@3, or the path of a file. */
  log?: string | undefined;
}

const oneOf = <T extends string>(raw: unknown, all: readonly T[]): T | undefined =>
  all.find((v) => v === raw);
const text = (raw: unknown) => (typeof raw === "string" && raw !== "" ? raw : undefined);

const run = createRoute({
  getParentRoute: () => projectRoute,
  path: "experiments/$experiment/runs/$run",
  validateSearch: (raw: Record<string, unknown>): RunSearch => ({
    ...chartSearch(raw),
    tab: oneOf(raw["tab"], ["overview", "charts", "artifacts", "logs"]),
    path: text(raw["path"]),
    of: text(raw["of"]),
    log: text(raw["log"]),
  }),
  component: lazyRouteComponent(() => import("./run"), "RunPage"),
});

/** A run by its id alone, as other pages know it. */
const byID = createRoute({
  getParentRoute: () => projectRoute,
  path: "runs/$run",
  loader: async ({ context, params }) => {
    const { experiment } = await context.queries.ensureQueryData(
      runQuery(params.project, params.run),
    );
    throw redirect({
      to: "/p/$project/experiments/$experiment/runs/$run",
      params: { ...params, experiment },
      replace: true,
    });
  },
});

/** What of a comparison is shown, as it stands in the address. */
export interface CompareSearch extends ChartSearch {
  /** Ids of runs, with commas. */
  runs: string;
  tab?: "charts" | "table" | "parallel" | "scatter" | "artifacts" | undefined;
  /** In the table: all rows, and not only those that differ. */
  all?: true | undefined;
  /** The axes of the parallel coordinates, such as params.lr. */
  axes?: string[] | undefined;
  /** Of the scatter: what lies along x and y, such as params.lr; and which way is better. */
  x?: string | undefined;
  y?: string | undefined;
  better?: string | undefined;
  /** The file that is shown of each run. */
  path?: string | undefined;
}

const compare = createRoute({
  getParentRoute: () => projectRoute,
  path: "compare",
  validateSearch: (raw: Record<string, unknown>): CompareSearch => ({
    ...chartSearch(raw),
    runs: [...new Set(listOf(raw["runs"]))].join(","),
    tab: oneOf(raw["tab"], ["charts", "table", "parallel", "scatter", "artifacts"]),
    all: raw["all"] === true ? true : undefined,
    axes: raw["axes"] === undefined ? undefined : listOf(raw["axes"]),
    x: text(raw["x"]),
    y: text(raw["y"]),
    better: text(raw["better"]),
    path: text(raw["path"]),
  }),
  component: lazyRouteComponent(() => import("./compare"), "ComparePage"),
});

/** The routes of this room, below a project; each draws its page lazily. */
export const routes = [run, byID, compare] as const;
