import { MantineProvider } from "@mantine/core";
import { QueryClientProvider, useQuery } from "@tanstack/react-query";
import { act, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { LiveMark } from "../app/LiveMark";
import { Problem } from "../data/client";
import { newQueryClient } from "../data/query";
import { Loaded } from "./Loaded";
import { Old } from "./State";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const pass = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));
const busy = new Problem("too busy", 503, "unavailable");

/** A page of one query; what it answers may be changed. */
function show(first: unknown) {
  const server = { says: first };
  const queries = newQueryClient();
  function Part() {
    const query = useQuery({
      queryKey: ["p", "wine", "models"],
      queryFn: () =>
        server.says instanceof Error ? Promise.reject(server.says) : Promise.resolve(server.says),
    });
    return <Loaded query={query}>{(data) => <p>{String(data)}</p>}</Loaded>;
  }
  const view = render(
    <MantineProvider env="test">
      <QueryClientProvider client={queries}>
        <LiveMark />
        <Part />
      </QueryClientProvider>
    </MantineProvider>,
  );
  return { ...view, server, renew: () => act(() => void queries.invalidateQueries()) };
}

it("says of when it is what could not be renewed, in the server's words", () => {
  render(
    <MantineProvider env="test">
      <Old
        query={{
          isError: true,
          error: new Problem("the disk is gone", 500, "internal"),
          dataUpdatedAt: Date.now(),
          refetch: vi.fn(),
        }}
      />
    </MantineProvider>,
  );
  expect(screen.getByRole("status")).toHaveTextContent(/As of \d\d:\d\d.*the disk is gone/);
  expect(screen.getByRole("button", { name: "Try again" })).toBeVisible();
});

it("keeps what is there while the server is busy, and says so once, until it is not", async () => {
  const { server, renew } = show("three models");
  await pass(0);
  server.says = busy;
  await renew();
  await pass(2000);
  expect(screen.getByText("three models")).toBeVisible();
  expect(screen.queryByText(/Not refreshed/)).toBeNull();
  await pass(20_000);
  expect(screen.getByText("three models")).toBeVisible();
  expect(screen.queryByRole("alert")).toBeNull();
  expect(screen.getByText("Not refreshed").parentElement).toHaveTextContent(/since \d\d:\d\d/);
  server.says = "four models";
  await pass(4000);
  expect(screen.getByText("four models")).toBeVisible();
  expect(screen.queryByText("Not refreshed")).toBeNull();
});

it("says why nothing comes at all, and does not blink while it is tried again", async () => {
  const { server } = show(busy);
  await pass(1000);
  expect(screen.getByRole("status", { name: "Loading" })).toBeVisible();
  await pass(2000);
  const said = screen.getByRole("alert");
  expect(said).toHaveTextContent("too busy It is tried again by itself.");
  for (let i = 0; i < 20; i++) {
    await pass(500);
    expect(screen.getByRole("alert")).toBe(said);
  }
  server.says = "three models";
  await pass(4000);
  expect(screen.getByText("three models")).toBeVisible();
});

it("says no more of what nobody looks at", async () => {
  const { server, renew, unmount } = show("three models");
  await pass(0);
  server.says = busy;
  await renew();
  await pass(10_000);
  unmount();
  show("others");
  await pass(0);
  expect(screen.queryByText("Not refreshed")).toBeNull();
});
