import { queryOptions } from "@tanstack/react-query";
import { api, ask, Problem, type Schemas } from "./client";
import { LIVE_MS } from "./live";

export type TrackedRun = Schemas["TrackedRun"];
export type MetricSummary = Schemas["TrackingMetricSummary"];

/** Whether a run still goes on, and its numbers are asked for again and again. */
export const isLive = (run: { status: string; state: string } | undefined) =>
  run !== undefined &&
  run.state === "active" &&
  (run.status === "RUNNING" || run.status === "SCHEDULED");

/** The metrics that have values at several steps, and so a history to draw; by name. */
export const historiesOf = (metrics: readonly MetricSummary[]): string[] =>
  [...new Set(metrics.flatMap((m) => (m.step !== 0 || m.min !== m.max ? m.key : [])))].sort(
    new Intl.Collator("en", { numeric: true }).compare,
  );

/** How often what goes on is asked for, in ms; each of many runs less often. */
const every = (runs: number) => LIVE_MS * Math.ceil(runs / 8);

/** A tracked run with what it read and made; one of so many. */
export const runQuery = (project: string, run: string, of = 1) =>
  queryOptions({
    queryKey: ["p", project, "runs", run],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/projects/{project}/runs/{run}", {
          params: { path: { project, run } },
          signal,
        }),
      ),
    refetchInterval: ({ state }) => (isLive(state.data) ? every(of) : false),
  });

/** How many metrics of a run are shown; runs with more are looked into with a filter. */
const METRICS = 5000;

/** The metrics of a run, one of so many, by name: last, least, highest and best value. */
export const metricsQuery = (project: string, run: string, live = false, of = 1) =>
  queryOptions({
    queryKey: ["p", project, "runs", run, "metrics"],
    queryFn: async ({ signal }) => {
      const items: MetricSummary[] = [];
      let page: string | undefined;
      do {
        const got = await ask(
          api.GET("/api/v1/projects/{project}/runs/{run}/metrics", {
            params: {
              path: { project, run },
              query: { limit: 1000, ...(page === undefined ? {} : { page }) },
            },
            signal,
          }),
        );
        items.push(...got.items);
        page = got.next;
      } while (page !== undefined && items.length < METRICS);
      return { items, more: page !== undefined };
    },
    refetchInterval: ({ state }) =>
      live && state.data ? every(state.data.items.length > 500 ? 40 * of : of) : false,
  });

/** The runs that are nested in a run, the newest first; 100 at most, and how many there are. */
export const nestedQuery = (project: string, run: string) =>
  queryOptions({
    queryKey: ["p", project, "runs", run, "nested"],
    queryFn: async ({ signal }) => {
      const filter = `tags.mlflow.parentRunId = '${run}'`;
      const get = (query: {
        limit?: number;
        count?: boolean;
        order?: string[];
        select?: string[];
      }) =>
        ask(
          api.GET("/api/v1/projects/{project}/runs", {
            params: { path: { project }, query: { filter, ...query } },
            signal,
          }),
        );
      const page = await get({ limit: 100, order: ["start_time DESC"], select: ["run_name"] });
      const total =
        page.next === undefined ? page.items.length : (await get({ count: true })).count;
      return { items: page.items, total: total ?? page.items.length };
    },
  });

/** Runs that are not there any more are not asked for again. */
export const isGone = (err: unknown) => err instanceof Problem && err.status === 404;

/** The newest runs of experiments, by their names: 200 of them. */
export const newestQuery = (project: string, experiments: readonly string[]) =>
  queryOptions({
    queryKey: ["p", project, "runs", "newest", experiments],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/projects/{project}/runs", {
          params: {
            path: { project },
            query: { experiment: [...experiments], limit: 200, order: ["start_time DESC"] },
          },
          signal,
        }),
      ),
  });
