import { expect, it } from "vitest";
import { brushBy } from "./ParallelCoordinates";

it("moves and widens what is kept of an axis by keys", () => {
  expect(brushBy("ArrowUp", false)).toEqual([0.5, 1]);
  expect(brushBy("ArrowDown", false)).toEqual([0, 0.5]);
  expect(brushBy("ArrowDown", false, [0.5, 1])).toEqual([0.4, 0.9]);
  expect(brushBy("ArrowUp", false, [0.45, 0.95])).toEqual([0.5, 1]);
  expect(brushBy("ArrowDown", true, [0.5, 0.7])).toEqual([0.5, 0.6]);
  expect(brushBy("ArrowDown", true, [0.5, 0.6])).toEqual([0.5, 0.6]);
  expect(brushBy("ArrowUp", true, [0.5, 0.95])).toEqual([0.5, 1]);
  expect(brushBy("x", false)).toBeUndefined();
});
