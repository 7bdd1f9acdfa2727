import { MutationCache, QueryCache, QueryClient } from "@tanstack/react-query";
import { dismiss, toast } from "../components/toast";
import { Problem } from "./client";
import { answers } from "./live";

/** Whether another try may help: the server did not answer, or was busy. */
function worthARetry(failures: number, err: unknown): boolean {
  const busy =
    err instanceof Problem && (err.status === 0 || err.status === 503 || err.status === 429);
  return busy && failures < 2;
}

/** What has come of a list by pages. */
export function itemsOf<T>(query: { data?: { pages: { items: T[] }[] } | undefined }): T[] {
  return query.data?.pages.flatMap((page) => page.items) ?? [];
}

const SIGNED_OUT = "signed-out";

/**
 * The cache of what the server said. Events of the server say what is out of date
 * (data/live.ts), so nothing goes stale by itself for half a minute.
 *
 * When the session has ended, the page stays, with what was typed in it; all is asked
 * anew once an answer comes again.
 */
export function newQueryClient(): QueryClient {
  let signedOut = false;
  const onError = (err: unknown) => {
    if (!(err instanceof Problem) || err.status !== 401) return;
    signedOut = true;
    toast({
      key: SIGNED_OUT,
      tone: "bad",
      title: "You are signed out",
      message: "This page stays as it is. Sign in, in a new tab, and come back to it.",
      action: { label: "Sign in", run: () => window.open("/signin", "_blank") },
    });
  };
  const onSuccess = () => {
    answers();
    if (!signedOut) return;
    signedOut = false;
    dismiss(SIGNED_OUT);
    void client.invalidateQueries();
  };
  const client = new QueryClient({
    queryCache: new QueryCache({ onError, onSuccess }),
    mutationCache: new MutationCache({ onError }),
    defaultOptions: {
      // The server may be on this machine: what the browser says of the network is no reason to wait.
      queries: {
        staleTime: 30_000,
        retry: worthARetry,
        refetchOnWindowFocus: true,
        networkMode: "always",
      },
      mutations: { retry: false, networkMode: "always" },
    },
  });
  return client;
}
