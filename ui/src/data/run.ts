import { queryOptions } from "@tanstack/react-query";
import { api, ask, type Schemas } from "./client";
import { LIVE_MS } from "./live";

export type TrackedRun = Schemas["TrackedRun"];
export type MetricSummary = Schemas["TrackingMetricSummary"];

/** Whether a run still goes on, and its numbers are asked for again and again. */
export const isLive = (run: { status: string; state: string } | undefined) =>
  run !== undefined &&
  run.state === "active" &&
  (run.status === "RUNNING" || run.status === "SCHEDULED");

/** A tracked run with what it read and made. */
export const runQuery = (project: string, run: string) =>
  queryOptions({
    queryKey: ["p", project, "runs", run],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/projects/{project}/runs/{run}", {
          params: { path: { project, run } },
          signal,
        }),
      ),
    refetchInterval: ({ state }) => (isLive(state.data) ? LIVE_MS : false),
  });

/** How many metrics of a run are shown; runs with more are looked into with a filter. */
const METRICS = 5000;

/** The metrics of a run by name: last, least, highest and best value. */
export const metricsQuery = (project: string, run: string, live = false) =>
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
      live ? ((state.data?.items.length ?? 0) > 500 ? 5000 : LIVE_MS) : false,
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

/** Runs by their ids, with all that a comparison shows; those that are gone are missing. */
export const runsQuery = (project: string, ids: readonly string[]) =>
  queryOptions({
    queryKey: ["p", project, "runs", "compared", ids],
    queryFn: async ({ signal }) => {
      const got = await Promise.allSettled(
        ids.map((run) =>
          ask(
            api.GET("/api/v1/projects/{project}/runs/{run}", {
              params: { path: { project, run } },
              signal,
            }),
          ),
        ),
      );
      const failed = got.find((g) => g.status === "rejected" && !gone(g.reason));
      if (failed?.status === "rejected") throw failed.reason;
      return got.flatMap((g) => (g.status === "fulfilled" ? [g.value] : []));
    },
    refetchInterval: ({ state }) => (state.data?.some(isLive) ? 2000 : false),
  });

const gone = (err: unknown) => err instanceof Error && "status" in err && err.status === 404;
