import { MantineProvider } from "@mantine/core";
import { render, screen } from "@testing-library/react";
import { expect, it, vi } from "vitest";
import { Problem } from "../data/client";
import { Old } from "./State";

const show = (error: unknown, age: number) =>
  render(
    <MantineProvider env="test">
      <Old
        query={{
          isError: true,
          error,
          dataUpdatedAt: Date.now() - age,
          refetch: vi.fn(),
        }}
      />
    </MantineProvider>,
  );

it("says of when it is what could not be renewed, in the server's words", () => {
  show(new Problem("the disk is gone", 500, "internal"), 0);
  expect(screen.getByRole("status")).toHaveTextContent(/As of \d\d:\d\d.*the disk is gone/);
  expect(screen.getByRole("button", { name: "Try again" })).toBeVisible();
});

it("says nothing of a server that is busy for a moment, and does when it stays so", () => {
  const busy = new Problem("too busy", 503, "unavailable");
  const { unmount } = show(busy, 1000);
  expect(screen.queryByRole("status")).toBeNull();
  unmount();
  show(busy, 60_000);
  expect(screen.getByRole("status")).toHaveTextContent("too busy");
});
