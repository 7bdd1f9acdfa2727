import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { api, ask, type Schemas } from "./client";
import { verify, type Verdict } from "./proof";

export type Change = Schemas["Event"];

/** What a list of events is narrowed to; an absent part narrows nothing. */
export interface EventFilter {
  types?: readonly string[] | undefined;
  /** Such as model/wine, or model/wine* for all that begin so. */
  subject?: string | undefined;
  /** Such as user:ada. */
  actor?: string | undefined;
  /** Days or times of RFC 3339, of the clock; until is exclusive. */
  from?: string | undefined;
  until?: string | undefined;
  clock?: "wall" | "stream" | undefined;
}

const fetchEvents = (
  project: string,
  f: EventFilter,
  limit: number,
  page: string,
  signal: AbortSignal,
  after?: number,
) =>
  ask(
    api.GET("/api/v1/projects/{project}/events", {
      params: {
        path: { project },
        query: {
          ...(after === undefined ? { newest: true } : { after }),
          limit,
          ...(f.types?.length ? { types: f.types.join(",") } : {}),
          ...(f.subject ? { subject: f.subject } : {}),
          ...(f.actor ? { actor: f.actor } : {}),
          ...(f.from ? { from: f.from } : {}),
          ...(f.until ? { until: f.until } : {}),
          ...(f.clock ? { clock: f.clock } : {}),
          ...(page ? { page } : {}),
        },
      },
      signal,
    }),
  );

/** The newest events of a project that the filter lets through, newest first. */
export const newestEvents = (project: string, limit: number, filter: EventFilter = {}) =>
  queryOptions({
    queryKey: ["p", project, "events", { limit, ...filter }],
    queryFn: ({ signal }) => fetchEvents(project, filter, limit, "", signal),
  });

/**
 * The same, page by page, as they were when the first one was asked for: `head` is the
 * number that eventsSince goes on behind.
 */
export const eventPages = (project: string, filter: EventFilter) =>
  infiniteQueryOptions({
    queryKey: ["p", project, "event-pages", filter],
    queryFn: async ({ pageParam, signal }) => {
      const last = pageParam ? [] : (await fetchEvents(project, {}, 50, "", signal)).items;
      const page = await fetchEvents(project, filter, 50, pageParam, signal);
      return { ...page, head: Math.max(last[0]?.seq ?? 0, page.items[0]?.seq ?? 0) };
    },
    initialPageParam: "",
    getNextPageParam: (last) => last.next || undefined,
    staleTime: Infinity,
    gcTime: 0,
  });

/** So many new events come into a list by themselves. */
export const FEW = 100;

/**
 * What has come since, in order. New events renew this, and not the pages before it, until
 * they are more than a few: then it rests, however many come, and next is there.
 */
export const eventsSince = (project: string, filter: EventFilter, head: number | undefined) =>
  queryOptions({
    queryKey: ["p", project, "events", "since", head, filter],
    queryFn: ({ signal }) => fetchEvents(project, filter, FEW, "", signal, head ?? 0),
    enabled: ({ state }) => head !== undefined && (state.data?.items.length ?? 0) < FEW,
    gcTime: 0,
  });

/** The event of a number, null when the project has none. */
export const oneEvent = (project: string, seq: number) =>
  queryOptions({
    queryKey: ["p", project, "event", seq],
    queryFn: async ({ signal }) => {
      const page = await ask(
        api.GET("/api/v1/projects/{project}/events", {
          params: { path: { project }, query: { after: seq - 1, limit: 1 } },
          signal,
        }),
      );
      return page.items.find((e) => e.seq === seq) ?? null;
    },
    staleTime: Infinity,
  });

/** An event's proof, which this browser has checked. A proof holds for good. */
export const proofQuery = (project: string, event: Change) =>
  queryOptions({
    queryKey: ["p", project, "proofs", event.seq],
    queryFn: async ({ signal }): Promise<{ proof: Schemas["LedgerProof"]; verdict: Verdict }> => {
      const proof = await ask(
        api.GET("/api/v1/projects/{project}/events/{seq}/proof", {
          params: { path: { project, seq: event.seq } },
          signal,
        }),
      );
      return { proof, verdict: await verify(proof, event) };
    },
    staleTime: Infinity,
  });

/** Checks the whole ledger on the server. */
export const verifyLedger = () => ask(api.POST("/api/v1/audit/verify"));
