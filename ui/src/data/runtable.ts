import {
  infiniteQueryOptions,
  keepPreviousData,
  queryOptions,
  type InfiniteData,
  type QueryClient,
} from "@tanstack/react-query";
import { api, ask, Problem, type Schemas } from "./client";
import { LIVE_MS, polled } from "./live";

export type TableRow = Schemas["RunTableRow"];
export type MetricCell = Schemas["MetricCell"];
export type RunColumn = Schemas["Column"];
export type Group = Schemas["TrackingGroup"];
export type Groups = Schemas["Groups"];
export type Sum = Schemas["TrackingAggregate"];
export type Bulk = Schemas["TrackingBulk"];
export type Completion = Schemas["Completion"];

/** Which runs a table has, and in what order. */
export interface Rows {
  project: string;
  /** Ids; none for those of the whole project. */
  experiments: string[];
  filter: string;
  order: string[];
  nested: boolean;
  state: "active" | "deleted";
}

const path = (project: string) => ({ project });

function asked(rows: Rows) {
  return {
    experiment: rows.experiments,
    ...(rows.filter && { filter: rows.filter }),
    ...(rows.order.length > 0 && { order: rows.order }),
    ...(rows.nested && { nested: true }),
    state: rows.state,
  };
}

/** How the queries of a table begin; a list that is out of date leaves its windows as they are. */
export const tableKey = (rows: Rows, what: "run-table" | "run-window" = "run-table") => {
  const { project, experiments, filter, order, nested, state } = rows;
  return ["p", project, what, experiments, filter, order, nested, state] as const;
};

/** Whether a run may still log. */
export const goesOn = (status: string) => status === "RUNNING" || status === "SCHEDULED";

/**
 * How many runs there are, under a snapshot that later windows name; it tells of newer ones.
 * The same list is asked for again until it is out of date.
 */
export const tableHead = (rows: Rows) =>
  queryOptions({
    queryKey: [...tableKey(rows), "head"],
    queryFn: async ({ signal, client, queryKey }) => {
      const before = client.getQueryState<Schemas["RunTable"]>(queryKey);
      const snapshot = before?.isInvalidated ? undefined : before?.data?.snapshot;
      return ask(
        api.GET("/api/v1/projects/{project}/run-table", {
          params: {
            path: path(rows.project),
            query: { ...asked(rows), limit: 1, ...(snapshot && { snapshot }) },
          },
          signal,
        }),
      );
    },
    refetchInterval: polled(LIVE_MS),
    staleTime: 0,
  });

/** A window of a table: some rows of a level, with some columns. */
export interface Window {
  snapshot: string;
  /** The run whose rows they are; empty for the first level. */
  under: string;
  offset: number;
  limit: number;
  select: string[];
}

/** A window with what it was asked for. */
export interface WindowPage {
  window: Window;
  filter: string;
  page: Schemas["RunTable"];
}

/** What was there of a window, of another list or with other columns; it stays until this comes. */
function before(client: QueryClient, rows: Rows, w: Window): WindowPage | undefined {
  return client
    .getQueriesData<WindowPage>({ queryKey: tableKey(rows, "run-window") })
    .map(([, page]) => page)
    .findLast((p) => p?.window.under === w.under && p.window.offset === w.offset);
}

export const tableWindow = (client: QueryClient, rows: Rows, w: Window) =>
  queryOptions<WindowPage>({
    queryKey: [...tableKey(rows, "run-window"), w],
    queryFn: async ({ signal }) => ({
      window: w,
      filter: rows.filter,
      page: await ask(
        api.GET("/api/v1/projects/{project}/run-table", {
          params: {
            path: path(rows.project),
            query: {
              ...asked(rows),
              snapshot: w.snapshot,
              offset: w.offset,
              limit: w.limit,
              ...(w.under && { under: w.under }),
              ...(w.select.length > 0 && { select: w.select }),
            },
          },
          signal,
        }),
      ),
    }),
    placeholderData: () => before(client, rows, w),
    staleTime: Infinity,
    gcTime: 60_000,
    refetchInterval: ({ state }) =>
      state.data?.page.rows.some((r) => goesOn(r.status)) ? LIVE_MS : false,
  });

/** The runs in groups, with metrics summed up. */
export const runGroups = (rows: Rows, by: string[], metrics: string[]) =>
  queryOptions({
    queryKey: [...tableKey(rows), "groups", by, metrics],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/projects/{project}/run-groups", {
          params: {
            path: path(rows.project),
            query: {
              experiment: rows.experiments,
              ...(rows.filter && { filter: rows.filter }),
              state: rows.state,
              by,
              ...(metrics.length > 0 && { select: metrics }),
              limit: 1000,
            },
          },
          signal,
        }),
      ),
    refetchInterval: ({ state }) => state.data?.groups.some((g) => g.running > 0) && 3000,
  });

/** The keys that runs have, by words that they contain. */
export const runColumns = (
  project: string,
  experiments: string[],
  kind: RunColumn["kind"] | undefined,
  contains: string,
  limit: number,
  common = false,
) =>
  infiniteQueryOptions({
    queryKey: ["p", project, "run-columns", experiments, kind, contains, limit, common],
    queryFn: ({ signal, pageParam }) =>
      ask(
        api.GET("/api/v1/projects/{project}/run-columns", {
          params: {
            path: path(project),
            query: {
              experiment: experiments,
              limit,
              ...(kind && { kind }),
              ...(contains && { contains }),
              ...(common && { common }),
              ...(pageParam && { page: pageParam }),
            },
          },
          signal,
        }),
      ),
    initialPageParam: "",
    getNextPageParam: (page) => page.next,
    placeholderData: keepPreviousData,
    // The order of the common ones is that in which they were seen first: columns do not move
    // under the reader when one key becomes more common than another.
    ...(common && {
      structuralSharing: (old: unknown, now: unknown) =>
        steady(old as Columns | undefined, now as Columns),
    }),
  });

type Columns = InfiniteData<Schemas["Columns"]>;

/** What is common now, after what was: in the order of old, and what is new at the end. */
export function steady(old: Columns | undefined, now: Columns): Columns {
  const [first, ...rest] = now.pages;
  const was = old?.pages[0]?.items;
  if (!first || !was) return now;
  const known = new Set(was.map((c) => c.name));
  const items = [...was, ...first.items.filter((c) => !known.has(c.name))];
  return { ...now, pages: [{ ...first, items }, ...rest] };
}

/** Metrics of runs as a few points each. */
export const sparklines = (project: string, runs: string[], keys: string[], live: boolean) =>
  queryOptions({
    queryKey: ["p", project, "sparklines", runs, keys],
    queryFn: async ({ signal }) => {
      const { items } = await ask(
        api.GET("/api/v1/projects/{project}/run-sparklines", {
          params: { path: path(project), query: { run: runs, key: keys } },
          signal,
        }),
      );
      return new Map(items.map((s) => [`${s.run} ${s.key}`, s.values]));
    },
    enabled: runs.length > 0 && keys.length > 0,
    staleTime: Infinity,
    gcTime: 60_000,
    refetchInterval: polled(live ? LIVE_MS : false),
  });

/** How a filter may go on at a place, and what is wrong with it. */
export const completion = (project: string, experiments: string[], filter: string, at: number) =>
  queryOptions({
    queryKey: ["p", project, "run-filter", experiments, filter, at],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/projects/{project}/run-filter", {
          params: { path: path(project), query: { experiment: experiments, filter, at } },
          signal,
        }),
      ),
    placeholderData: keepPreviousData,
  });

/** How many runs one request changes. */
const BULK = 1000;

/** What is done to many runs. */
export type Change =
  { kind: "delete" | "restore" } | { kind: "tag"; set: Record<string, string>; remove: string[] };

/**
 * Changes runs, a thousand a request, and tells after each how many are done. What fails on
 * the way ends it, and is told of the runs that were left.
 */
export async function changeRuns(
  project: string,
  runs: string[],
  change: Change,
  progress: (done: number) => void,
): Promise<Bulk> {
  const all: Bulk = { changed: [], failed: [] };
  for (let i = 0; i < runs.length; i += BULK) {
    try {
      const part = await changeSome(project, runs.slice(i, i + BULK), change);
      all.changed.push(...part.changed);
      all.failed.push(...part.failed);
    } catch (err) {
      if (i === 0 || !(err instanceof Problem)) throw err;
      const { code, message: reason } = err;
      all.failed.push(...runs.slice(i).map((run) => ({ run, code, reason })));
      break;
    }
    progress(Math.min(i + BULK, runs.length));
  }
  return all;
}

function changeSome(project: string, runs: string[], change: Change): Promise<Bulk> {
  const params = { path: path(project) };
  switch (change.kind) {
    case "delete":
      return ask(api.POST("/api/v1/projects/{project}/runs/delete", { params, body: { runs } }));
    case "restore":
      return ask(api.POST("/api/v1/projects/{project}/runs/restore", { params, body: { runs } }));
    case "tag":
      return ask(
        api.POST("/api/v1/projects/{project}/runs/tag", {
          params,
          body: { runs, set: change.set, remove: change.remove },
        }),
      );
  }
}

/** The ids of runs of a table: of all on its levels, or of some of a list. */
export async function runIds(
  rows: Rows,
  some?: { snapshot: string; under: string; offset: number; length: number },
): Promise<string[]> {
  const ids: string[] = [];
  let snapshot = some?.snapshot ?? "";
  for (;;) {
    const page = await ask(
      api.GET("/api/v1/projects/{project}/run-table", {
        params: {
          path: path(rows.project),
          query: {
            ...asked(some ? rows : { ...rows, nested: false }),
            offset: (some?.offset ?? 0) + ids.length,
            limit: Math.min(BULK, (some?.length ?? BULK) - ids.length),
            ...(snapshot && { snapshot }),
            ...(some?.under && { under: some.under }),
          },
        },
      }),
    );
    snapshot = page.snapshot;
    ids.push(...page.rows.map((r) => r.id));
    if (page.rows.length === 0 || ids.length >= (some?.length ?? page.total)) return ids;
  }
}
