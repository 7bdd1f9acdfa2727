import { MantineProvider } from "@mantine/core";
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it, vi } from "vitest";
import { LineChart, LineTable } from "./LineChart";

// happy-dom draws nothing and measures nothing; the plot itself is tested in the browser.
vi.mock("uplot", () => ({ default: Object.assign(vi.fn(), { join: () => [[]] }) }));

const lines = [
  { label: "first", y: [1, 2] },
  { label: "second", y: [3, null] },
];

it("says what it shows, and hides a line by its name in the legend", async () => {
  render(
    <MantineProvider>
      <LineChart describe="loss of two runs" x={[0, 1]} lines={lines} />
    </MantineProvider>,
  );
  expect(screen.getByRole("application", { name: "loss of two runs" })).toHaveAttribute(
    "tabindex",
    "0",
  );
  const second = screen.getByRole("button", { name: "second" });
  expect(second).toHaveAttribute("aria-pressed", "true");
  await userEvent.click(second);
  expect(second).toHaveAttribute("aria-pressed", "false");
});

it("has the same numbers as a table", () => {
  render(
    <MantineProvider>
      <LineTable label="loss" x="step" shared={[0, 1]} lines={lines} />
    </MantineProvider>,
  );
  expect(screen.getAllByRole("row").map((r) => r.textContent)).toEqual([
    "stepfirstsecond",
    "013",
    "12–",
  ]);
});
