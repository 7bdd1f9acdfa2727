import { QueryObserver } from "@tanstack/react-query";
import { afterEach, expect, it, vi } from "vitest";
import { dismiss, toasts } from "../components/toast";
import { Problem } from "./client";
import { newQueryClient, renewed } from "./query";

afterEach(() => toasts.read().forEach((t) => dismiss(t.id)));
const said = () => toasts.read().map((t) => t.title);

it("says once that the session has ended, and asks all anew when it goes on", async () => {
  const queries = newQueryClient();
  let signedIn = false;
  const ask = (name: string) =>
    queries.fetchQuery({
      queryKey: [name],
      staleTime: Infinity,
      queryFn: () => {
        if (!signedIn) throw new Problem("sign in first", 401, "unauthenticated");
        return name;
      },
    });
  queries.setQueryData(["old"], "of before");
  await expect(ask("a")).rejects.toThrow("sign in first");
  await expect(ask("b")).rejects.toThrow("sign in first");
  expect(said()).toEqual(["You are signed out"]);
  signedIn = true;
  await ask("a");
  expect(said()).toEqual([]);
  expect(queries.getQueryState(["old"])?.isInvalidated).toBe(true);
});

it("says nothing of other errors", async () => {
  const queries = newQueryClient();
  const failing = queries.fetchQuery({
    queryKey: ["a"],
    queryFn: () => Promise.reject(new Problem("you may not", 403, "denied")),
  });
  await expect(failing).rejects.toThrow("you may not");
  expect(said()).toEqual([]);
});

it("waits for what a change has touched, and not for a server that does not answer", async () => {
  vi.useFakeTimers();
  const queries = newQueryClient();
  let answer = () => Promise.resolve("new");
  const seen = new QueryObserver(queries, { queryKey: ["a"], queryFn: () => answer() });
  const leave = seen.subscribe(() => undefined);
  queries.setQueryData(["a"], "old");
  await renewed(queries, { queryKey: ["a"] });
  expect(queries.getQueryData(["a"])).toBe("new");
  answer = () => Promise.reject(new Problem("no answer", 0, "unavailable"));
  let ended = false;
  void renewed(queries, { queryKey: ["a"] }).then(() => (ended = true));
  await vi.advanceTimersByTimeAsync(900);
  expect(ended).toBe(false);
  await vi.advanceTimersByTimeAsync(200);
  expect(ended).toBe(true);
  leave();
  vi.useRealTimers();
});
