import { describe, expect, it } from "vitest";
import type { ChartLine } from "../data/charts";
import { addTail } from "../data/charts";
import { axisOf, lineOf, oddities, partOf } from "./history";

const line = (over: Partial<ChartLine> = {}): ChartLine => ({
  run: "r",
  key: "loss",
  by: "step",
  width: 0,
  points: 3,
  seen: "a",
  step: [1, 2, 3],
  ms: [1000, 2000, 3000],
  last: [5, 4, null],
  ...over,
});
const thinned = (over: Partial<ChartLine> = {}) =>
  line({
    width: 10,
    points: 20,
    step: [0, 10],
    to_step: [9, 19],
    ms: [0, 100],
    to_ms: [90, 190],
    last: [1, 2],
    min: [0, 1],
    max: [8, 9],
    mean: [4, 5],
    count: [10, 10],
    ...over,
  });
const draw = { label: "loss", start: 500, smoothing: 0, color: 1 };

it("draws points as they are, and what was thinned at its mean in its range", () => {
  expect(lineOf(line(), { ...draw, axis: "step" })).toMatchObject({
    x: [1, 2, 3],
    y: [5, 4, null],
  });
  expect(lineOf(line(), { ...draw, axis: "relative" }).x).toEqual([500, 1500, 2500]);
  expect(lineOf(thinned(), { ...draw, axis: "step" })).toMatchObject({
    x: [4.5, 14.5],
    y: [4, 5],
    low: [0, 1],
    high: [8, 9],
  });
  const smoothed = lineOf(thinned(), { ...draw, axis: "time", smoothing: 0.9 });
  expect(smoothed.raw).toEqual([4, 5]);
  expect(smoothed.x).toEqual([45, 145]);
});

it("lies along time where no line has steps", () => {
  expect(axisOf([line({ by: "time" })], "step")).toBe("relative");
  expect(axisOf([line({ by: "time" }), line()], "step")).toBe("step");
  expect(axisOf([], "step")).toBe("step");
  expect(axisOf([line()], "time")).toBe("time");
});

it("asks for a little more than a zoom shows", () => {
  expect(partOf([100, 200], "step", 0)).toEqual({ from: 98, to: 202 });
  expect(partOf([0, 1000], "relative", 5000)).toEqual({ from: 4980, to: 6020 });
});

it("counts what is no number", () => {
  expect(
    oddities([line({ nans: [0, 2, 1] }), line({ highs: [1, 0, 0], lows: [0, 0, 1] })]),
  ).toEqual({
    nans: 3,
    infinities: 2,
  });
});

describe("addTail", () => {
  it("replaces the last bucket and goes on", () => {
    const tail = thinned({
      seen: "b",
      step: [10, 20],
      to_step: [19, 25],
      ms: [100, 200],
      to_ms: [190, 250],
      last: [2, 3],
      min: [1, 2],
      max: [9, 7],
      mean: [6, 4],
      count: [11, 6],
      nans: [0, 1],
    });
    expect(addTail(thinned(), tail)).toMatchObject({
      seen: "b",
      points: 27,
      step: [0, 10, 20],
      to_step: [9, 19, 25],
      mean: [4, 6, 4],
      count: [10, 11, 6],
      nans: [0, 0, 1],
    });
  });
  it("keeps a line that has not changed", () => {
    const before = line();
    expect(addTail(before, line({ unchanged: true, step: [], ms: [], last: [] }))).toBe(before);
  });
  it("follows single points", () => {
    expect(
      addTail(line(), line({ step: [3, 4], ms: [3000, 4000], last: [null, 1] })),
    ).toMatchObject({
      points: 4,
      step: [1, 2, 3, 4],
      last: [5, 4, null, 1],
    });
  });
  it("wants a line anew whose buckets do not fit, or are too many", () => {
    expect(addTail(line(), thinned())).toBeUndefined();
    expect(addTail(line(), line({ by: "time" }))).toBeUndefined();
    const many = Array.from({ length: 2001 }, (_, i) => i + 3);
    expect(addTail(line(), line({ step: many, ms: many, last: many }))).toBeUndefined();
  });
  it("takes what comes first as it is", () => {
    const empty = line({ points: 0, step: [], ms: [], last: [], seen: "" });
    expect(addTail(empty, line())).toEqual(line());
    expect(addTail(undefined, line())).toEqual(line());
  });
});
