import { afterEach, expect, it } from "vitest";
import { dismiss, toasts } from "../components/toast";
import { Problem } from "./client";
import { newQueryClient } from "./query";

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
