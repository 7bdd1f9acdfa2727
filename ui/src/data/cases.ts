import {
  infiniteQueryOptions,
  queryOptions,
  useMutation,
  useQueryClient,
} from "@tanstack/react-query";
import { api, ask, type Schemas } from "./client";
import { renewed } from "./query";

export type Case = Schemas["LoopCase"];
export type Explanation = Schemas["LoopExplanation"];

/** The cases of a project, or of a model of it, the newest first, a hundred at a time. */
export const casesQuery = (project: string, model = "") =>
  infiniteQueryOptions({
    queryKey: ["p", project, "cases", { model }],
    queryFn: ({ signal, pageParam }) =>
      ask(
        api.GET("/api/v1/projects/{project}/cases", {
          params: { path: { project }, query: { model, limit: 100, page: pageParam } },
          signal,
        }),
      ),
    initialPageParam: "",
    getNextPageParam: (last) => last.next || undefined,
  });

export const caseQuery = (project: string, id: string) =>
  queryOptions({
    queryKey: ["p", project, "cases", id],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/projects/{project}/cases/{case}", {
          params: { path: { project, case: id } },
          signal,
        }),
      ),
  });

/** What happened in a case, step by step. */
export const caseEventsQuery = (project: string, id: string) =>
  queryOptions({
    queryKey: ["p", project, "cases", id, "events"],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/projects/{project}/cases/{case}/events", {
          params: { path: { project, case: id } },
          signal,
        }),
      ),
  });

/** A gate's decision, check by check. */
export const decisionQuery = (project: string, decision: string) =>
  queryOptions({
    queryKey: ["p", project, "decisions", decision],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/projects/{project}/decisions/{decision}", {
          params: { path: { project, decision } },
          signal,
        }),
      ),
    staleTime: Infinity,
  });

/** What the loop does for a model, and why. */
export const loopQuery = (project: string, model: string) =>
  queryOptions({
    queryKey: ["p", project, "loop", model],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/projects/{project}/loop/{model}", {
          params: { path: { project, model } },
          signal,
        }),
      ),
  });

/** Stops the loop of a model from opening cases by itself, or lets it again. */
export function usePauseLoop(project: string, model: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (body: { paused: boolean; reason?: string }) =>
      ask(
        api.PUT("/api/v1/projects/{project}/loop/{model}/pause", {
          params: { path: { project, model } },
          body,
        }),
      ),
    onSuccess: () => renewed(queries, { queryKey: ["p", project, "loop", model] }),
  });
}
