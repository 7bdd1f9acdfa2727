import { keepPreviousData, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { api, ask, type Schemas } from "./client";
import { polled } from "./live";
import { renewed } from "./query";

export type Endpoint = Schemas["Endpoint"];
export type Served = Schemas["ServedEndpoint"];
export type VariantState = Schemas["ServingVariantState"];
export type VersionTraffic = Schemas["ServingVersionTraffic"];
export type Failure = Schemas["ServingFailure"];
export type Options = Schemas["ReleaseOptions"];
export type Option = Schemas["ReleaseOption"];
export type Form = Schemas["Form"];
export type FormInput = Schemas["FormInput"];

/**
 * How often figures of traffic are asked for again, in milliseconds: no event tells of a
 * request. The server has them within a quarter of a second.
 */
const TRAFFIC_MS = 700;

/** The clocks of traffic: when requests arrived, or the event time that they brought. */
export type Clock = "wall" | "event";

/** A stretch of time of traffic. */
export interface Range {
  last: string;
  clock?: Clock | undefined;
}

/** How every endpoint of a project does, and how it answered of late. */
export const trafficList = (project: string, range: Range) =>
  queryOptions({
    queryKey: ["p", project, "traffic", range],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/projects/{project}/traffic", {
          params: { path: { project }, query: { ...given(range), points: 48 } },
          signal,
        }),
      ),
    refetchInterval: polled(2 * TRAFFIC_MS),
    placeholderData: keepPreviousData,
  });

/** How one endpoint answered, by version and over time. */
export const traffic = (project: string, endpoint: string, range: Range) =>
  queryOptions({
    queryKey: ["p", project, "traffic", endpoint, range],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/projects/{project}/endpoints/{endpoint}/traffic", {
          params: { path: { project, endpoint }, query: { ...given(range), points: 240 } },
          signal,
        }),
      ),
    refetchInterval: polled(TRAFFIC_MS),
    placeholderData: keepPreviousData,
  });

function given(range: Range) {
  return range.clock ? { last: range.last, clock: range.clock } : { last: range.last };
}

/** What an endpoint serves, and where its stream time stands, which no event tells. */
export const endpointQuery = (project: string, endpoint: string) =>
  queryOptions({
    queryKey: ["p", project, "endpoints", endpoint],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/projects/{project}/endpoints/{endpoint}", {
          params: { path: { project, endpoint } },
          signal,
        }),
      ),
    refetchInterval: polled(5_000),
  });

/** What can be decided about an endpoint now, and what would follow. */
export const optionsQuery = (project: string, endpoint: string) =>
  queryOptions({
    queryKey: ["p", project, "endpoints", endpoint, "options"],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/projects/{project}/endpoints/{endpoint}/options", {
          params: { path: { project, endpoint } },
          signal,
        }),
      ),
  });

/** What a version of an endpoint takes and gives; without one, the live version. */
export const formQuery = (project: string, endpoint: string, version?: number) =>
  queryOptions({
    queryKey: ["p", project, "endpoints", endpoint, "form", { version }],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/projects/{project}/endpoints/{endpoint}/form", {
          params: { path: { project, endpoint }, query: version ? { version } : {} },
          signal,
        }),
      ),
    placeholderData: keepPreviousData,
  });

/** The environments that the project's file names, in their order. */
export const environmentsQuery = (project: string) =>
  queryOptions({
    queryKey: ["p", project, "environments"],
    queryFn: async ({ signal }) => {
      const rev = await ask(
        api.GET("/api/v1/projects/{project}", { params: { path: { project } }, signal }),
      );
      return environments(rev.spec);
    },
  });

/** An environment of the file: the model that is released to it, its name and strategy. */
export interface Environment {
  model: string;
  name: string;
  strategy: string;
}

function environments(spec: Record<string, unknown>): Environment[] {
  const { model, release } = spec;
  if (typeof model !== "string" || !Array.isArray(release)) return [];
  return release.flatMap((e: unknown) => {
    if (typeof e !== "object" || e === null || !("name" in e) || typeof e.name !== "string")
      return [];
    const strategy = "strategy" in e && typeof e.strategy === "string" ? e.strategy : "replace";
    return [{ model, name: e.name, strategy }];
  });
}

/** A decision of a person about an endpoint. */
export interface Decision {
  action: "promote" | "rollback" | "restore";
  /** What promote and rollback are about. */
  rollout: string;
  reason: string;
  /** Of the assignment that the person saw; the server refuses when it has changed. */
  generation?: number | undefined;
  /** A decision that is sent again with the same key is done once. */
  key: string;
}

/** Carries out a decision. */
export function useDecide(project: string, endpoint: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (d: Decision) => {
      const body = { reason: d.reason, ...(d.generation ? { generation: d.generation } : {}) };
      const header = { "Idempotency-Key": d.key };
      if (d.action === "restore") {
        return ask(
          api.POST("/api/v1/projects/{project}/endpoints/{endpoint}/rollback", {
            params: { path: { project, endpoint }, header },
            body,
          }),
        );
      }
      const params = { path: { project, rollout: d.rollout }, header };
      return ask(
        d.action === "promote"
          ? api.POST("/api/v1/projects/{project}/rollouts/{rollout}/promote", { params, body })
          : api.POST("/api/v1/projects/{project}/rollouts/{rollout}/rollback", { params, body }),
      );
    },
    onSettled: () => renewed(queries, { queryKey: ["p", project] }),
  });
}
