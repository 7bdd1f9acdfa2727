import { queryOptions } from "@tanstack/react-query";
import { api, ask } from "./client";

/** The newest events of a project, newest first. */
export const newestEvents = (project: string, limit: number) =>
  queryOptions({
    queryKey: ["p", project, "events", { limit }],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/projects/{project}/events", {
          params: { path: { project }, query: { newest: true, limit } },
          signal,
        }),
      ),
  });
