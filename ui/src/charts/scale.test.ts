import { expect, it } from "vitest";
import { roundTicks, scaleOf } from "./scale";

it("has round ticks", () => {
  expect(roundTicks(0, 1, 5)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
  expect(roundTicks(-3, 17, 4)).toEqual([0, 5, 10, 15]);
  expect(roundTicks(1, 1, 5)).toEqual([]);
});

it("leaves room around, also around a single value and for none", () => {
  const scale = scaleOf([10, 20]);
  expect(scale.at(10)).toBeGreaterThan(0);
  expect(scale.at(20)).toBeLessThan(1);
  expect(scaleOf([5]).at(5)).toBeCloseTo(0.5);
  expect(scaleOf([]).ticks).toEqual([]);
});

it("has decades on a logarithmic scale", () => {
  const scale = scaleOf([0.001, 0, 10], true);
  expect(scale.ticks).toEqual([0.001, 0.01, 0.1, 1, 10]);
  expect(scale.at(0.1)).toBeCloseTo(0.5);
  expect(scaleOf([2, 3], true).ticks.length).toBeGreaterThan(1);
});
