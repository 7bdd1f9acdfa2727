import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { api, ask, type Schemas } from "./client";

export type Incident = Schemas["Incident"];

/** Which incidents; what is left out means all. */
export interface IncidentFilter {
  endpoint?: string;
  kind?: "drift" | "decay";
  state?: "open" | "resolved";
  /** Open at some time of this stretch, stream time in RFC 3339. */
  from?: string;
  to?: string;
}

/** The incidents of a project, the newest first, a hundred at a time. */
export const incidentsQuery = (project: string, filter: IncidentFilter) =>
  infiniteQueryOptions({
    queryKey: ["p", project, "incidents", filter],
    queryFn: ({ signal, pageParam }) =>
      ask(
        api.GET("/api/v1/projects/{project}/incidents", {
          params: { path: { project }, query: { ...filter, limit: 100, page: pageParam } },
          signal,
        }),
      ),
    initialPageParam: "",
    getNextPageParam: (last) => last.next || undefined,
  });

export const incidentQuery = (project: string, incident: string) =>
  queryOptions({
    queryKey: ["p", project, "incidents", incident],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/projects/{project}/incidents/{incident}", {
          params: { path: { project, incident } },
          signal,
        }),
      ),
  });

/** What became of an incident, and of the cases that it led to. */
export const incidentEventsQuery = (project: string, incident: string) =>
  queryOptions({
    queryKey: ["p", project, "incidents", incident, "events"],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/projects/{project}/incidents/{incident}/events", {
          params: { path: { project, incident } },
          signal,
        }),
      ),
  });
