import { queryOptions } from "@tanstack/react-query";
import { api, ask, type Schemas } from "./client";

export type Overview = Schemas["GovernOverview"];
export type Standing = Schemas["GovernStanding"];
export type Mark = Schemas["GovernMark"];
export type Need = Schemas["GovernNeed"];
export type EndpointHealth = Schemas["GovernEndpoint"];
export type Phase = Schemas["GovernPhase"];
export type Check = Schemas["GovernCheck"];
export type Hit = Schemas["GovernHit"];

/** A project at a glance. */
export const overviewQuery = (project: string) =>
  queryOptions({
    queryKey: ["p", project, "overview"],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/projects/{project}/overview", { params: { path: { project } }, signal }),
      ),
  });

/** The six phases of CRISP-DM, with the facts that answer their checks. */
export const phasesQuery = (project: string) =>
  queryOptions({
    queryKey: ["p", project, "phases"],
    queryFn: async ({ signal }) => {
      const answer = await ask(
        api.GET("/api/v1/projects/{project}/phases", { params: { path: { project } }, signal }),
      );
      return answer.phases;
    },
  });

/** What has a text in its name. */
export const findQuery = (project: string, text: string) =>
  queryOptions({
    queryKey: ["p", project, "find", text],
    queryFn: async ({ signal }) => {
      const hits = await ask(
        api.GET("/api/v1/projects/{project}/find", {
          params: { path: { project }, query: { text } },
          signal,
        }),
      );
      return hits.items;
    },
    staleTime: 5000,
  });
