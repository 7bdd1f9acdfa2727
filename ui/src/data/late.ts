import type { QueryCache } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import { Problem } from "./client";

/** Whether an error passes by itself: the server did not answer, or was busy. */
export function passes(err: unknown): boolean {
  return err instanceof Problem && [0, 429, 502, 503, 504].includes(err.status);
}

/** Of a server that is busy for a moment nothing is said, in ms. */
const A_MOMENT = 3000;

/** Since when what is waited for has failed to come, by the query's hash. */
const failing = new Map<string, number>();
const watchers = new Set<() => void>();
let late = 0;

/** Follows what comes of a cache's queries. */
export function followLate(cache: QueryCache): void {
  cache.subscribe((e) => {
    const { queryHash } = e.query;
    if (e.type === "updated" && e.action.type === "failed" && passes(e.action.error)) {
      failing.set(queryHash, failing.get(queryHash) ?? Date.now());
    } else if (
      (e.type === "updated" && (e.action.type === "success" || e.action.type === "error")) ||
      e.type === "removed" ||
      (e.type === "observerRemoved" && !e.query.isActive())
    ) {
      if (!failing.delete(queryHash)) return;
    } else return;
    const oldest = Math.min(...failing.values());
    const now = Date.now() - oldest >= A_MOMENT ? oldest : 0;
    if (now === late) return;
    late = now;
    watchers.forEach((w) => w());
  });
}

function watch(w: () => void): () => void {
  watchers.add(w);
  return () => watchers.delete(w);
}

/**
 * Since when something in sight cannot be renewed, in milliseconds of wall time, though it is
 * tried again and again; 0 when all could be.
 */
export function useLate(): number {
  return useSyncExternalStore(watch, () => late);
}
