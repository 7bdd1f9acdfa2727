import {
  infiniteQueryOptions,
  queryOptions,
  useMutation,
  useQueryClient,
} from "@tanstack/react-query";
import { api, ask, type Schemas } from "./client";
import { LIVE_MS, polled } from "./live";
import { renewed } from "./query";

export type PipelineRun = Schemas["PipelineRun"];
export type PipelineStep = Schemas["PipelineStep"];
export type PipelineGraph = Schemas["PipelineGraph"];
export type PipelineTry = Schemas["PipelineResult"];
export type PipelineWhy = Schemas["PipelineWhy"];
export type PipelineDetail = Schemas["PipelineDetail"];
export type LogPart = Schemas["LogPart"];

/** The parts of a run that are no tries, which count from 1. */
export const SHARED = 0;
export const REFIT = -1;

/** What names a step of one part of a run, in addresses and for the server: train@3. */
export function stepName(step: { name: string; try: number }): string {
  if (step.try === SHARED) return step.name;
  return `${step.name}@${step.try === REFIT ? "refit" : step.try}`;
}

/** The states that a list of runs can be narrowed to. */
export const runStates = ["queued", "running", "succeeded", "failed", "cancelled"] as const;
export type RunState = (typeof runStates)[number];

/** Whether nothing about a run, a try or a step will change. */
export function isFinal(state: string): boolean {
  return state !== "queued" && state !== "running";
}

const base = "/api/v1/projects/{project}/pipeline-runs" as const;
const one = `${base}/{run}` as const;
const oneStep = `${one}/steps/{step}` as const;

/** The pipeline runs of a project, newest first, by pages; live while one goes on. */
export const pipelineRuns = (project: string, state: RunState | undefined) =>
  infiniteQueryOptions({
    queryKey: ["p", project, "pipeline-runs", { state }],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ signal, pageParam: page }) =>
      ask(
        api.GET(base, {
          params: {
            path: { project },
            query: { limit: 50, ...(state && { state }), ...(page && { page }) },
          },
          signal,
        }),
      ),
    getNextPageParam: (last) => last.next,
    refetchInterval: ({ state: { data } }) =>
      data?.pages.some((p) => p.items.some((r) => !isFinal(r.state))) ? LIVE_MS : false,
  });

/** One run without the tries of its search. */
export const pipelineRun = (project: string, run: string) =>
  queryOptions({
    queryKey: ["p", project, "pipelines", run],
    queryFn: ({ signal }) =>
      ask(api.GET(one, { params: { path: { project, run }, query: { tries: false } }, signal })),
    refetchInterval: ({ state: { data } }) => (data && !isFinal(data.state) ? LIVE_MS : false),
  });

/** What a run has to do; that never changes. */
export const pipelineGraph = (project: string, run: string) =>
  queryOptions({
    queryKey: ["p", project, "pipelines", run, "graph"],
    queryFn: ({ signal }) =>
      ask(api.GET(`${one}/graph`, { params: { path: { project, run } }, signal })),
    staleTime: Infinity,
  });

const PAGE = 1000;

/**
 * The parts of a run that its pages show: of steps, reasons and tries the first thousand
 * each, and whether there are more. `live` says that the run goes on.
 */
export const pipelineSteps = (project: string, run: string, live: boolean) =>
  queryOptions({
    queryKey: ["p", project, "pipelines", run, "steps"],
    queryFn: ({ signal }) =>
      ask(
        api.GET(`${one}/steps`, {
          params: { path: { project, run }, query: { limit: PAGE, brief: true } },
          signal,
        }),
      ),
    refetchInterval: polled(live ? LIVE_MS : false),
  });

export const pipelineWhys = (project: string, run: string, live: boolean) =>
  queryOptions({
    queryKey: ["p", project, "pipelines", run, "why"],
    queryFn: ({ signal }) =>
      ask(
        api.GET(`${one}/why`, {
          params: { path: { project, run }, query: { limit: PAGE } },
          signal,
        }),
      ),
    refetchInterval: polled(live ? LIVE_MS : false),
  });

export const pipelineTries = (project: string, run: string, live: boolean) =>
  queryOptions({
    queryKey: ["p", project, "pipelines", run, "tries"],
    queryFn: ({ signal }) =>
      ask(
        api.GET(`${one}/tries`, {
          params: { path: { project, run }, query: { limit: PAGE, order: "best" } },
          signal,
        }),
      ),
    refetchInterval: polled(live ? LIVE_MS : false),
  });

/** Why a step ran or did not; that does not change. */
export const pipelineWhy = (project: string, run: string, step: string) =>
  queryOptions({
    queryKey: ["p", project, "pipelines", run, "why", step],
    queryFn: ({ signal }) =>
      ask(api.GET(`${oneStep}/why`, { params: { path: { project, run, step } }, signal })),
  });

/** All that is known of a step that has begun; step is such as train@3. */
export const pipelineStep = (project: string, run: string, step: string) =>
  queryOptions({
    queryKey: ["p", project, "pipelines", run, "step", step],
    queryFn: ({ signal }) =>
      ask(api.GET(oneStep, { params: { path: { project, run, step } }, signal })),
    refetchInterval: ({ state: { data } }) => (data && !isFinal(data.state) ? LIVE_MS : false),
  });

/** A stretch of what a step printed; with `wait`, once there is one. */
export function readLog(
  at: { project: string; run: string; step: string; attempt: number },
  offset: number,
  signal: AbortSignal,
): Promise<LogPart> {
  const { project, run, step, attempt } = at;
  return ask(
    api.GET(`${oneStep}/log`, {
      params: { path: { project, run, step }, query: { offset, attempt, wait: "25s" } },
      signal,
    }),
  );
}

/** Cancels a run. */
export function useCancelRun(project: string, run: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: () => ask(api.POST(`${one}/cancel`, { params: { path: { project, run } } })),
    onSuccess: () => renewed(queries, { queryKey: ["p", project, "pipelines", run] }),
  });
}

/** Does a run again from a step on; each call is one attempt that is made at most once. */
export function useRerun(project: string, run: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: ({ from, key }: { from: string; key: string }) =>
      ask(
        api.POST(`${one}/rerun`, {
          params: { path: { project, run }, header: { "Idempotency-Key": key } },
          body: { from },
        }),
      ),
    onSuccess: () => renewed(queries, { queryKey: ["p", project, "pipeline-runs"] }),
  });
}

/** Opens a case: data, pipeline, package, gate, release. */
export function useOpenCase(project: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (key: string) =>
      ask(
        api.POST("/api/v1/projects/{project}/cases", {
          params: { path: { project }, header: { "Idempotency-Key": key } },
        }),
      ),
    onSuccess: () =>
      renewed(
        queries,
        { queryKey: ["p", project, "pipeline-runs"] },
        { queryKey: ["p", project, "cases"] },
      ),
  });
}

/** The project's file as it is applied now. */
export const currentProject = (project: string) =>
  queryOptions({
    queryKey: ["p", project, "project"],
    queryFn: ({ signal }) =>
      ask(api.GET("/api/v1/projects/{project}", { params: { path: { project } }, signal })),
  });
