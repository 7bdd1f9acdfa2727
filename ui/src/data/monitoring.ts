import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { api, ask, type Schemas } from "./client";

export type Monitoring = Schemas["Monitoring"];
export type Watched = Schemas["MonitorWatched"];
export type Stretch = Schemas["MonitorStretch"];
export type DriftHistory = Schemas["MonitorDriftHistory"];
export type PerformanceHistory = Schemas["MonitorPerformanceHistory"];
export type Distribution = Schemas["MonitorDistribution"];

/** How each endpoint of a project stands. */
export const monitoringQuery = (project: string) =>
  queryOptions({
    queryKey: ["p", project, "monitoring"],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/projects/{project}/monitoring", {
          params: { path: { project }, query: { limit: 200 } },
          signal,
        }),
      ),
  });

/** How one endpoint stands; its name is model@environment. */
export const endpointMonitoringQuery = (project: string, endpoint: string) =>
  queryOptions({
    queryKey: ["p", project, "monitoring", endpoint],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/projects/{project}/endpoints/{endpoint}/monitoring", {
          params: { path: { project, endpoint } },
          signal,
        }),
      ),
  });

/** Which windows to draw: stream time in RFC 3339, and as how many pieces at most. */
export interface Range {
  from?: string;
  to?: string;
  stretches: number;
}

/** The drift of each feature over time. */
export const driftQuery = (project: string, endpoint: string, range: Range) =>
  queryOptions({
    queryKey: ["p", project, "monitoring", endpoint, "drift", range],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/projects/{project}/endpoints/{endpoint}/drift", {
          params: { path: { project, endpoint }, query: range },
          signal,
        }),
      ),
    placeholderData: keepPreviousData,
  });

/** The realised metric of each version over time. */
export const performanceQuery = (project: string, endpoint: string, range: Range) =>
  queryOptions({
    queryKey: ["p", project, "monitoring", endpoint, "performance", range],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/projects/{project}/endpoints/{endpoint}/performance", {
          params: { path: { project, endpoint }, query: range },
          signal,
        }),
      ),
    placeholderData: keepPreviousData,
  });

/** A feature in the worst of the windows of a version that begin in a stretch of time. */
export interface Place {
  feature: string;
  version: number;
  from: string;
  to: string;
}

/** A feature in one window beside the reference. A judged window never changes. */
export const distributionQuery = (project: string, endpoint: string, at: Place) =>
  queryOptions({
    queryKey: ["p", project, "monitoring", endpoint, "distribution", at],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/projects/{project}/endpoints/{endpoint}/distribution", {
          params: { path: { project, endpoint }, query: at },
          signal,
        }),
      ),
    staleTime: Infinity,
  });
