import {
  MutationCache,
  QueryCache,
  QueryClient,
  type InvalidateQueryFilters,
} from "@tanstack/react-query";
import { dismiss, toast } from "../components/toast";
import { Problem } from "./client";
import { followLate, passes } from "./late";
import { answers } from "./live";

/** What has come of a list by pages. */
export function itemsOf<T>(query: { data?: { pages: { items: T[] }[] } | undefined }): T[] {
  return query.data?.pages.flatMap((page) => page.items) ?? [];
}

/** For what follows a change, in ms; what takes longer comes by itself. */
const PATIENCE = 1000;

/**
 * Asks anew for what a change has touched, and waits for it: whoever made the change sees it
 * when their button is free again. A server that does not answer is not waited for.
 */
export async function renewed(
  queries: QueryClient,
  ...touched: InvalidateQueryFilters[]
): Promise<void> {
  await Promise.race([
    Promise.all(touched.map((t) => queries.invalidateQueries(t))),
    new Promise((done) => setTimeout(done, PATIENCE)),
  ]);
}

const SIGNED_OUT = "signed-out";

/**
 * The cache of what the server said. Events of the server say what is out of date
 * (data/live.ts), so nothing goes stale by itself for half a minute.
 *
 * What fails in passing is asked for until it comes, as long as somebody looks at it: what
 * was there stays in sight meanwhile, and failureOf tells what is to be said of the rest.
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
        retry: (_, err) => passes(err),
        retryDelay: (failures) => Math.min(300 * 1.5 ** failures, 4000),
        refetchOnWindowFocus: true,
        networkMode: "always",
      },
      mutations: { retry: false, networkMode: "always" },
    },
  });
  followLate(client.getQueryCache());
  return client;
}
