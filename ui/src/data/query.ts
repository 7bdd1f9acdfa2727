import { QueryClient } from "@tanstack/react-query";
import { Problem } from "./client";

/** Whether another try may help: the server did not answer, or was busy. */
export function worthARetry(failures: number, err: unknown): boolean {
  const busy =
    err instanceof Problem && (err.status === 0 || err.status === 503 || err.status === 429);
  return busy && failures < 2;
}

/**
 * The cache of what the server said. Events of the server say what is out of date
 * (data/live.ts), so nothing goes stale by itself for half a minute.
 */
export function newQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: { staleTime: 30_000, retry: worthARetry, refetchOnWindowFocus: true },
      mutations: { retry: false },
    },
  });
}
