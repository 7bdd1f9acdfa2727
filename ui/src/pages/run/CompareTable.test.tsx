import { MantineProvider } from "@mantine/core";
import { render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it, vi } from "vitest";
import type { Column } from "./columns";
import { CompareTable } from "./CompareTable";

const runs = ["first", "second"].map((label, i) => ({
  id: label,
  label,
  color: i + 1,
  startMS: 0,
}));
const column = (kind: Column["kind"], name: string, values: Column["values"]): Column => ({
  id: `${kind}.${name}`,
  kind,
  name,
  values,
  numeric: true,
  differs: new Set(values).size > 1,
});
const columns = [
  column("params", "lr", ["0.1", undefined]),
  column("params", "seed", ["1", "1"]),
  column("metrics", "val/loss", [0.5, Number.NaN]),
  column("run", "duration", [61_000, 5000]),
];

const show = (all: boolean, onAll = vi.fn(), which = columns) => {
  render(
    <MantineProvider>
      <CompareTable columns={which} runs={runs} all={all} onAll={onAll} />
    </MantineProvider>,
  );
  return onAll;
};

it("shows what differs alone, with units and the best of each metric", async () => {
  const onAll = show(false);
  const row = (name: string) =>
    within(screen.getByRole("rowheader", { name }).closest("tr") as HTMLElement)
      .getAllByRole("cell")
      .map((c) => c.textContent);
  expect(row("lr")).toEqual(["0.1", "–"]);
  expect(row("val/loss")).toEqual(["0.5", "NaN"]);
  expect(row("duration")).toEqual(["1 min 1 s", "5 s"]);
  expect(screen.queryByRole("rowheader", { name: "seed" })).toBeNull();
  expect(screen.getAllByLabelText("best")).toHaveLength(1);
  expect(screen.getByText("1 row all have in common")).toBeInTheDocument();
  await userEvent.click(screen.getByRole("switch", { name: "Also what is the same" }));
  expect(onAll).toHaveBeenCalledWith(true);
});

it("shows the rest when it is asked for, and says when nothing differs", () => {
  show(true);
  expect(screen.getByRole("rowheader", { name: "seed" })).toBeInTheDocument();
  show(false, vi.fn(), columns.slice(1, 2));
  expect(screen.getByText("These runs are the same")).toBeInTheDocument();
});
