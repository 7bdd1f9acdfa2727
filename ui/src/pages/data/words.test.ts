import { expect, it } from "vitest";
import type { DatasetVersion } from "../../data/datasets";
import { besides } from "./words";

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
