import type { QueryClient } from "@tanstack/react-query";
import { createRoute, lazyRouteComponent, redirect } from "@tanstack/react-router";
import { projectRoute } from "../../app/root";
import { chartQuery } from "../../data/charts";
import { historiesOf, isLive, metricsQuery, runQuery } from "../../data/run";
import { chartSearch, keptOf, keptText, listOf, type ChartSearch } from "./view";

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

const runSearch = (raw: Record<string, unknown>): RunSearch => ({
  ...chartSearch(raw),
  tab: oneOf(raw["tab"], ["overview", "charts", "artifacts", "logs"]),
  path: text(raw["path"]),
  of: text(raw["of"]),
  log: text(raw["log"]),
});

/** How many charts are in sight at first, about. */
const FIRST = 6;

/** Asks for what of a run is shown first, while the code of the page is on its way. */
async function askAhead(queries: QueryClient, project: string, id: string, charts: boolean) {
  const [run, metrics] = [runQuery(project, id), metricsQuery(project, id)];
  await Promise.all([queries.prefetchQuery(run), queries.prefetchQuery(metrics)]);
  const live = isLive(queries.getQueryData(run.queryKey));
  const known = queries.getQueryData(metrics.queryKey)?.items ?? [];
  for (const key of charts ? historiesOf(known).slice(0, FIRST) : []) {
    void queries.prefetchQuery(
      chartQuery({ project, by: "step", series: [{ run: id, key }], live }),
    );
  }
}

const run = createRoute({
  getParentRoute: () => projectRoute,
  path: "experiments/$experiment/runs/$run",
  validateSearch: runSearch,
  loader: ({ context, params, location, cause }) => {
    const { tab, by, find } = runSearch(location.search);
    const charts = cause === "enter" && (tab ?? "charts") === "charts" && !by && !find;
    if (cause !== "stay") void askAhead(context.queries, params.project, params.run, charts);
  },
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

/** Stands for a run that was left out: the others keep their places, and so their colours. */
export const NO_RUN = "-";
/** As many runs as can be told apart. */
export const MOST_RUNS = 32;

/** The runs of a comparison, each once, and the places that are free. */
export const placesOf = (raw: unknown): string[] =>
  listOf(raw).filter((id, i, all) => id === NO_RUN || all.indexOf(id) === i);

/** What of a comparison is shown, as it stands in the address. */
export interface CompareSearch extends ChartSearch {
  /** Ids of runs, with commas; see NO_RUN. */
  runs: string;
  tab?: "charts" | "table" | "parallel" | "scatter" | "artifacts" | undefined;
  /** In the table: all rows, and not only those that differ. */
  all?: true | undefined;
  /** The axes of the parallel coordinates, such as params.lr. */
  axes?: string[] | undefined;
  /** What is kept of them, such as params.lr~0.5~1: from the middle of the axis to its top. */
  kept?: string[] | undefined;
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
    runs: placesOf(raw["runs"]).join(","),
    tab: oneOf(raw["tab"], ["charts", "table", "parallel", "scatter", "artifacts"]),
    all: raw["all"] === true ? true : undefined,
    axes: raw["axes"] === undefined ? undefined : listOf(raw["axes"]),
    kept: keptText(keptOf(listOf(raw["kept"]))),
    x: text(raw["x"]),
    y: text(raw["y"]),
    better: text(raw["better"]),
    path: text(raw["path"]),
  }),
  loader: ({ context, params, location, cause }) => {
    if (cause !== "enter") return;
    for (const id of placesOf(Object(location.search).runs).slice(0, MOST_RUNS)) {
      if (id !== NO_RUN) void askAhead(context.queries, params.project, id, false);
    }
  },
  component: lazyRouteComponent(() => import("./compare"), "ComparePage"),
});

/** The routes of this room, below a project; each draws its page lazily. */
export const routes = [run, byID, compare] as const;
