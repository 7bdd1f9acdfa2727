import { infiniteQueryOptions, keepPreviousData, queryOptions } from "@tanstack/react-query";
import { api, ask, type Schemas } from "./client";

export type Dataset = Schemas["DataDataset"];
export type DatasetVersion = Schemas["DataVersion"];
export type ColumnProfile = Schemas["DataColumnProfile"];
export type DatasetDiff = Schemas["DataDiff"];
export type ColumnDiff = Schemas["DataColumnDiff"];
export type Shape = Schemas["DataShape"];
export type QueryAnswer = Schemas["QueryAnswer"];

/** A version by its dataset and number. */
export interface Ref {
  dataset: string;
  n: number;
}

const at = (project: string, ref: Ref) => ({
  path: { project, dataset: ref.dataset, version: String(ref.n) },
});

/** The datasets whose name holds a text, each as its newest version. */
export const datasetsQuery = (project: string, search = "") =>
  queryOptions({
    queryKey: ["p", project, "datasets", "list", search],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/projects/{project}/datasets", {
          params: { path: { project }, query: { limit: 1000, search } },
          signal,
        }),
      ),
    placeholderData: keepPreviousData,
  });

const VERSIONS = 200;

/** The versions of a dataset, the newest first, page by page. */
export const versionsQuery = (project: string, dataset: string) =>
  infiniteQueryOptions({
    queryKey: ["p", project, "datasets", "versions", dataset],
    queryFn: ({ signal, pageParam }) =>
      ask(
        api.GET("/api/v1/projects/{project}/datasets/{dataset}/versions", {
          params: {
            path: { project, dataset },
            query: { limit: VERSIONS, ...(pageParam && { page: pageParam }) },
          },
          signal,
        }),
      ),
    initialPageParam: "",
    getNextPageParam: (last) => last.next || undefined,
  });

/** Which cases and pipeline runs used the versions of a dataset. */
export const datasetUsesQuery = (project: string, dataset: string) =>
  queryOptions({
    queryKey: ["p", project, "datasets", "uses", dataset],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/projects/{project}/datasets/{dataset}/uses", {
          params: { path: { project, dataset } },
          signal,
        }),
      ),
  });

/** A version with its profile. It never changes. */
export const versionQuery = (project: string, ref: Ref) =>
  queryOptions({
    queryKey: ["p", project, "dataset-version", ref.dataset, ref.n],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/projects/{project}/datasets/{dataset}/versions/{version}", {
          params: at(project, ref),
          signal,
        }),
      ),
    staleTime: Infinity,
  });

/** What a version was made of, and what used it. */
export const lineageQuery = (project: string, ref: Ref) =>
  queryOptions({
    queryKey: ["p", project, "datasets", "lineage", ref.dataset, ref.n],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/projects/{project}/datasets/{dataset}/versions/{version}/lineage", {
          params: at(project, ref),
          signal,
        }),
      ),
  });

/** Who has looked at a holdout: the newest thousand, the newest first. */
export const readsQuery = (project: string, ref: Ref) =>
  queryOptions({
    queryKey: ["p", project, "datasets", "reads", ref.dataset, ref.n],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/projects/{project}/datasets/{dataset}/versions/{version}/reads", {
          params: { ...at(project, ref), query: { limit: 1000, newest: true } },
          signal,
        }),
      ),
  });

/** How many rows are read at once. */
export const ROWS = 200;

/** The rows of a version from page × ROWS on. They never change. */
export const rowsQuery = (project: string, ref: Ref, page: number) =>
  queryOptions({
    queryKey: ["p", project, "dataset-rows", ref.dataset, ref.n, page],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/projects/{project}/datasets/{dataset}/versions/{version}/rows", {
          params: { ...at(project, ref), query: { offset: page * ROWS, limit: ROWS } },
          signal,
        }),
      ),
    staleTime: Infinity,
  });

/** What is different between two versions. from is a number, or dataset/number. */
export const diffQuery = (project: string, to: Ref, from: string, key: string) =>
  queryOptions({
    queryKey: ["p", project, "dataset-diff", to.dataset, to.n, from, key],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/projects/{project}/datasets/{dataset}/versions/{version}/diff", {
          params: { ...at(project, to), query: { from, ...(key && { key }) } },
          signal,
        }),
      ),
    staleTime: Infinity,
  });

/** Records why the reader looks at a holdout, whose rows are then open for an hour. */
export function lookAtHoldout(project: string, ref: Ref, reason: string) {
  return ask(
    api.POST("/api/v1/projects/{project}/datasets/{dataset}/versions/{version}/reads", {
      params: at(project, ref),
      body: { reason },
    }),
  );
}

/** SQL, and why a holdout is read when it names one. */
export interface Question {
  sql: string;
  limit: number;
  reason?: string | undefined;
}

/** Runs SQL over the datasets; to abort it ends it on the server. */
export function runQuery(project: string, { sql, limit, reason }: Question, signal: AbortSignal) {
  return ask(
    api.POST("/api/v1/projects/{project}/queries", {
      params: { path: { project } },
      body: { sql, limit, ...(reason && { reason }) },
      signal,
    }),
  );
}

/** The first thousand rows that a query finds in a version, which never changes. */
export const foundQuery = (project: string, sql: string) =>
  queryOptions({
    queryKey: ["p", project, "dataset-found", sql],
    queryFn: ({ signal }) => runQuery(project, { sql, limit: 1000 }, signal),
    staleTime: Infinity,
    retry: false,
  });

/** The whole answer to a query as a file. */
export function queryFile(project: string, form: "csv" | "parquet", { sql, reason }: Question) {
  return ask<Blob>(
    api.POST(`/api/v1/projects/{project}/queries/${form}`, {
      params: { path: { project } },
      body: { sql, ...(reason && { reason }) },
      parseAs: "blob",
    }),
  );
}

/** What a query may take, and what of its sandbox the server's system lacks. */
export const boundsQuery = (project: string) =>
  queryOptions({
    queryKey: ["p", project, "query-bounds"],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/projects/{project}/queries/bounds", {
          params: { path: { project } },
          signal,
        }),
      ),
    staleTime: Infinity,
  });

/** A row of an answer; the server sends arrays. */
export function cellsOf(row: unknown): readonly unknown[] {
  return Array.isArray(row) ? (row as unknown[]) : [];
}
