import { infiniteQueryOptions, keepPreviousData, queryOptions } from "@tanstack/react-query";
import { api, ask, type Schemas } from "./client";
import { polled } from "./live";

export type Experiment = Schemas["Experiment"];

/** A filter for names that contain a text. */
const named = (text: string) =>
  text === "" ? {} : { filter: `name CONTAINS '${text.replaceAll("'", "''")}'` };

/** The experiments of a project whose names contain a text, the newest first. */
export const experimentsQuery = (project: string, contains: string, state: "active" | "deleted") =>
  infiniteQueryOptions({
    queryKey: ["p", project, "experiments", { contains, state }],
    queryFn: ({ signal, pageParam }) =>
      ask(
        api.GET("/api/v1/projects/{project}/experiments", {
          params: {
            path: { project },
            query: {
              state,
              limit: 500,
              ...named(contains),
              ...(pageParam && { page: pageParam }),
            },
          },
          signal,
        }),
      ),
    initialPageParam: "",
    getNextPageParam: (page) => page.next,
    placeholderData: keepPreviousData,
    refetchInterval: polled(5000),
  });

export const experimentQuery = (project: string, experiment: string) =>
  queryOptions({
    queryKey: ["p", project, "experiment", experiment],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/projects/{project}/experiments/{experiment}", {
          params: { path: { project, experiment } },
          signal,
        }),
      ),
  });

export const createExperiment = (project: string, name: string) =>
  ask(
    api.POST("/api/v1/projects/{project}/experiments", {
      params: { path: { project } },
      body: { name },
    }),
  );

export const renameExperiment = (project: string, experiment: string, name: string) =>
  ask(
    api.PUT("/api/v1/projects/{project}/experiments/{experiment}/name", {
      params: { path: { project, experiment } },
      body: { name },
    }),
  );

export const deleteExperiment = (project: string, experiment: string) =>
  ask(
    api.POST("/api/v1/projects/{project}/experiments/{experiment}/delete", {
      params: { path: { project, experiment } },
    }),
  );

export const restoreExperiment = (project: string, experiment: string) =>
  ask(
    api.POST("/api/v1/projects/{project}/experiments/{experiment}/restore", {
      params: { path: { project, experiment } },
    }),
  );

/** How long what is deleted can be restored. */
export const settingsQuery = (project: string) =>
  queryOptions({
    queryKey: ["p", project, "settings"],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/projects/{project}/settings", { params: { path: { project } }, signal }),
      ),
  });
