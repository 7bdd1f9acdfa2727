import {
  infiniteQueryOptions,
  queryOptions,
  useMutation,
  useQueryClient,
} from "@tanstack/react-query";
import { api, ask, type Schemas } from "./client";
import { renewed } from "./query";

export type ListedModel = Schemas["ListedModel"];
export type Model = Schemas["RegistryModel"];
export type Version = Schemas["RegistryVersion"];
export type Decision = Schemas["GateRecord"];
export type Check = Schemas["GateCheck"];
export type Fact = Schemas["Fact"];
export type Facts = Schemas["VersionFacts"];
export type Move = Schemas["RegistryAliasMove"];
export type Lineage = Schemas["Lineage"];
export type Signature = Schemas["EngineSignature"];

/** A point of wall time (RFC 3339); "" is now. */
export type AsOf = string;

const at = (asOf: AsOf) => (asOf === "" ? {} : { as_of: asOf });

/** What is past does not change any more. */
const keep = (asOf: AsOf) => (asOf === "" ? {} : { staleTime: Infinity });

export const modelsQuery = (project: string, name: string) =>
  infiniteQueryOptions({
    queryKey: ["p", project, "models", "list", name],
    queryFn: ({ pageParam, signal }) =>
      ask(
        api.GET("/api/v1/projects/{project}/models", {
          params: { path: { project }, query: { name, page: pageParam, limit: 100 } },
          signal,
        }),
      ),
    initialPageParam: "",
    getNextPageParam: (page) => page.next,
  });

export const modelQuery = (project: string, model: string, asOf: AsOf) =>
  queryOptions({
    queryKey: ["p", project, "models", model, "model", asOf],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/projects/{project}/models/{model}", {
          params: { path: { project, model }, query: at(asOf) },
          signal,
        }),
      ),
    ...keep(asOf),
  });

/** How many numbers of versions a page of them goes back. */
const STEP = 500;

/** The versions up to the newest number, from it on backwards; each page by number. */
export const versionsQuery = (project: string, model: string, newest: number, asOf: AsOf) =>
  infiniteQueryOptions({
    queryKey: ["p", project, "models", model, "versions", newest, asOf],
    queryFn: async ({ pageParam: to, signal }) => {
      const after = Math.max(0, to - STEP);
      const page = await ask(
        api.GET("/api/v1/projects/{project}/models/{model}/versions", {
          params: { path: { project, model }, query: { after, limit: STEP, ...at(asOf) } },
          signal,
        }),
      );
      return page.items.filter((v) => v.n <= to); // where some are gone, others come with them
    },
    initialPageParam: newest,
    getNextPageParam: (_page, _pages, to) => (to > STEP ? to - STEP : undefined),
    placeholderData: (was) => was,
    ...keep(asOf),
  });

export const versionQuery = (project: string, model: string, version: number, asOf: AsOf) =>
  queryOptions({
    queryKey: ["p", project, "models", model, "version", version, asOf],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/projects/{project}/models/{model}/versions/{version}", {
          params: { path: { project, model, version }, query: at(asOf) },
          signal,
        }),
      ),
    ...keep(asOf),
  });

/** The moves of all aliases, the newest first. */
export const movesQuery = (project: string, model: string, asOf: AsOf) =>
  infiniteQueryOptions({
    queryKey: ["p", project, "models", model, "moves", asOf],
    queryFn: ({ pageParam: page, signal }) =>
      ask(
        api.GET("/api/v1/projects/{project}/models/{model}/moves", {
          params: { path: { project, model }, query: { limit: 200, page, ...at(asOf) } },
          signal,
        }),
      ),
    initialPageParam: "",
    getNextPageParam: (page) => page.next,
    ...keep(asOf),
  });

/** The decisions about a model, or about one of its versions, the newest first. */
export const decisionsQuery = (project: string, model: string, asOf: AsOf, version?: number) =>
  infiniteQueryOptions({
    queryKey: ["p", project, "models", model, "decisions", version ?? 0, asOf],
    queryFn: ({ pageParam: page, signal }) =>
      ask(
        api.GET("/api/v1/projects/{project}/models/{model}/decisions", {
          params: {
            path: { project, model },
            query: { limit: 200, page, ...at(asOf), ...(version === undefined ? {} : { version }) },
          },
          signal,
        }),
      ),
    initialPageParam: "",
    getNextPageParam: (page) => page.next,
    ...keep(asOf),
  });

export const factsQuery = (project: string, model: string, version: number) =>
  queryOptions({
    queryKey: ["p", project, "models", model, "facts", version],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/projects/{project}/models/{model}/versions/{version}/facts", {
          params: { path: { project, model, version } },
          signal,
        }),
      ),
  });

export const lineageQuery = (project: string, model: string, version: number, asOf: AsOf) =>
  queryOptions({
    queryKey: ["p", project, "models", model, "lineage", version, asOf],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/projects/{project}/models/{model}/versions/{version}/lineage", {
          params: { path: { project, model, version }, query: at(asOf) },
          signal,
        }),
      ),
    ...keep(asOf),
  });

export const versionEventsQuery = (project: string, model: string, version: number) =>
  queryOptions({
    queryKey: ["p", project, "models", model, "events", version],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/projects/{project}/models/{model}/versions/{version}/events", {
          params: { path: { project, model, version } },
          signal,
        }),
      ),
  });

/** The model card of a version, in Markdown. */
export const versionCard = (project: string, model: string, version: number) =>
  ask(
    api.GET("/api/v1/projects/{project}/models/{model}/versions/{version}/card", {
      params: { path: { project, model, version } },
    }),
  );

/** Where a version's proof is downloaded from. */
export function proofAddress(project: string, model: string, version: number): string {
  const part = encodeURIComponent;
  return `/api/v1/projects/${part(project)}/models/${part(model)}/versions/${version}/proof`;
}

/** A change of a model, or of one of its versions. */
export type ModelChange =
  | { kind: "describe"; version?: number; description: string }
  | { kind: "tag"; version?: number; key: string; value: string }
  | { kind: "untag"; version?: number; key: string }
  | { kind: "alias"; alias: string; version: number; from: number }
  | { kind: "unalias"; alias: string }
  | { kind: "candidate"; version: number }
  | { kind: "stage"; version: number; stage: Stage; archive: boolean }
  | { kind: "delete"; version?: number };

export type Stage = Schemas["StageTarget"]["stage"];

/** Makes a change, and renews what is shown of the model. */
export function useModelChange(project: string, model: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (c: ModelChange) => change(project, model, c),
    onSuccess: (_answer, c) =>
      renewed(queries, {
        queryKey: ["p", project, "models"],
        // What is gone is not asked for again while its page is left.
        ...(c.kind === "delete" ? { refetchType: "none" as const } : {}),
      }),
  });
}

async function change(project: string, model: string, c: ModelChange): Promise<unknown> {
  const path = { project, model };
  const root = "/api/v1/projects/{project}/models/{model}";
  switch (c.kind) {
    case "describe": {
      const body = { description: c.description };
      return c.version === undefined
        ? ask(api.PUT(`${root}/description`, { params: { path }, body }))
        : ask(
            api.PUT(`${root}/versions/{version}/description`, {
              params: { path: { ...path, version: c.version } },
              body,
            }),
          );
    }
    case "tag": {
      const body = { value: c.value };
      return c.version === undefined
        ? ask(api.PUT(`${root}/tags/{key}`, { params: { path: { ...path, key: c.key } }, body }))
        : ask(
            api.PUT(`${root}/versions/{version}/tags/{key}`, {
              params: { path: { ...path, version: c.version, key: c.key } },
              body,
            }),
          );
    }
    case "untag":
      return c.version === undefined
        ? ask(api.DELETE(`${root}/tags/{key}`, { params: { path: { ...path, key: c.key } } }))
        : ask(
            api.DELETE(`${root}/versions/{version}/tags/{key}`, {
              params: { path: { ...path, version: c.version, key: c.key } },
            }),
          );
    case "alias":
      return ask(
        api.PUT(`${root}/aliases/{alias}`, {
          params: { path: { ...path, alias: c.alias } },
          body: { version: c.version, from: c.from },
        }),
      );
    case "unalias":
      return ask(
        api.DELETE(`${root}/aliases/{alias}`, { params: { path: { ...path, alias: c.alias } } }),
      );
    case "candidate":
      return ask(api.PUT(`${root}/candidate`, { params: { path }, body: { version: c.version } }));
    case "stage":
      return ask(
        api.PUT(`${root}/versions/{version}/stage`, {
          params: { path: { ...path, version: c.version } },
          body: { stage: c.stage, archive: c.archive },
        }),
      );
    case "delete":
      return c.version === undefined
        ? ask(api.DELETE(root, { params: { path } }))
        : ask(
            api.DELETE(`${root}/versions/{version}`, {
              params: { path: { ...path, version: c.version } },
            }),
          );
  }
}

/** Computes a decision again from what it was made from; a Problem says that it differs. */
export const replayQuery = (project: string, decision: string) =>
  queryOptions({
    queryKey: ["p", project, "models", "replay", decision],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/projects/{project}/decisions/{decision}", {
          params: { path: { project, decision }, query: { replay: true } },
          signal,
        }),
      ),
  });
