import { queryOptions } from "@tanstack/react-query";
import { api, ask, type Schemas } from "./client";

export type Rollout = Schemas["ReleaseRollout"];
export type History = Schemas["RolloutHistory"];
export type Turn = Schemas["ReleaseTurn"];
export type Finding = Schemas["ReleaseFinding"];
export type Comparison = Schemas["MonitorComparison"];

/** The rollouts of an endpoint, or of all without one, newest first. */
export const rolloutsQuery = (project: string, endpoint?: string) =>
  queryOptions({
    queryKey: ["p", project, "rollouts", { endpoint }],
    queryFn: ({ signal }) =>
      ask(
        endpoint === undefined
          ? api.GET("/api/v1/projects/{project}/rollouts", {
              params: { path: { project }, query: { limit: 200 } },
              signal,
            })
          : api.GET("/api/v1/projects/{project}/endpoints/{endpoint}/rollouts", {
              params: { path: { project, endpoint }, query: { limit: 200 } },
              signal,
            }),
      ),
  });

/** A rollout step by step, with the evidence of each as it was. */
export const historyQuery = (project: string, rollout: string) =>
  queryOptions({
    queryKey: ["p", project, "rollouts", rollout],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/projects/{project}/rollouts/{rollout}/history", {
          params: { path: { project, rollout } },
          signal,
        }),
      ),
  });
