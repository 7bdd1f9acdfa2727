import { expect, it } from "vitest";
import type { Dataset, DatasetVersion } from "../../data/datasets";
import { besides, fitting, readRef } from "./words";

const all = [
  [5, "split"],
  [4, "requests"],
  [3, "split"],
].map(([n, source]) => ({ n, source })) as DatasetVersion[];

it("compares with the version before of the same kind, or with what there is", () => {
  expect(besides(5, all)?.n).toBe(3);
  expect(besides(4, all)?.n).toBe(3);
  expect(besides(3, all)?.n).toBe(2); // on a page that was not loaded
  expect(besides(1, [{ ...all[0], n: 2 } as DatasetVersion])?.n).toBe(2);
  expect(besides(1, [])).toBeUndefined();
});

it("reads a version with the dataset that it is of", () => {
  expect(readRef("3", "recent")).toEqual({ dataset: "recent", n: "3" });
  expect(readRef("history/1", "recent")).toEqual({ dataset: "history", n: "1" });
});

it("offers first the datasets that share the most columns", () => {
  const table = (dataset: string, ...columns: string[]) => ({
    dataset,
    n: 2,
    columns: columns.map((name) => ({ name, type: name === "y" ? dataset : "float" })),
  });
  const datasets = [
    table("a", "x"),
    table("recent", "x", "y", "z"),
    table("history", "x", "z"),
    table("b", "y"),
  ] as Dataset[];
  expect(fitting("recent", datasets)).toEqual([
    { dataset: "history", n: 2, shared: 2 },
    { dataset: "a", n: 2, shared: 1 },
    { dataset: "b", n: 2, shared: 0 },
  ]);
});
