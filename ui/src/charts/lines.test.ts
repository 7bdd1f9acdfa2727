import { describe, expect, it } from "vitest";
import { aboveZero, nearest, rowsOf, smooth, styleOf, withoutOutliers } from "./lines";

describe("smooth", () => {
  const x = Array.from({ length: 1001 }, (_, i) => i);
  it("keeps a constant, the first value, gaps, and everything without a weight", () => {
    expect(
      smooth(
        x,
        x.map(() => 3),
        0.9,
      ).every((v) => Math.abs((v ?? 0) - 3) < 1e-9),
    ).toBe(true);
    expect(smooth([0, 1, 2], [5, null, 7], 0.5)[1]).toBeNull();
    expect(smooth([0, 1, 2], [5, 6, 7], 0.5)[0]).toBe(5);
    expect(smooth([0, 1], [1, 2], 0)).toEqual([1, 2]);
    expect(smooth([4, 4], [1, 2], 0.9)).toEqual([1, 2]);
  });
  it("looks the same whether a line was thinned or not", () => {
    const y = x.map((i) => Math.sin(i / 100));
    const whole = smooth(x, y, 0.95);
    const thin = x.filter((i) => i % 10 === 0);
    const thinned = smooth(
      thin,
      thin.map((i) => y[i] ?? 0),
      0.95,
    );
    for (const i of [200, 500, 900]) {
      expect(thinned[i / 10]).toBeCloseTo(whole[i] ?? NaN, 1);
    }
  });
});

it("leaves outliers out of the range, where there are some", () => {
  const calm = Array.from({ length: 100 }, (_, i) => i % 10);
  expect(withoutOutliers(calm)).toBeUndefined();
  expect(withoutOutliers([1, 2, 900])).toBeUndefined();
  expect(withoutOutliers([...calm, 1e6, null])).toEqual([0, 13.5]);
});

it("has no place on a logarithmic axis for zero and less", () => {
  const line = { label: "a", x: [0, 1, 2], y: [1, 0, -4], low: [1, 0, -5], high: [1, 2, 3] };
  expect(aboveZero(line, false, false)).toBe(line);
  expect(aboveZero(line, false, true)).toMatchObject({ y: [1, null, null], low: [1, null, null] });
  expect(aboveZero(line, true, false)).toMatchObject({ x: [1, 2], y: [0, -4], high: [2, 3] });
});

it("finds the nearest value", () => {
  expect(nearest([1, undefined, null, 4], 1)).toBe(0);
  expect(nearest([1, undefined, null, 4], 2)).toBe(3);
  expect(nearest([null], 0)).toBe(-1);
});

it("tells 32 lines apart", () => {
  const styles = Array.from({ length: 32 }, (_, i) => JSON.stringify(styleOf(i + 1)));
  expect(new Set(styles).size).toBe(32);
});

it("makes a table of lines with different x, with both ends and not too long", () => {
  expect(
    rowsOf(
      [],
      [
        { label: "a", x: [1, 3], y: [10, null] },
        { label: "b", x: [2], y: [20] },
      ],
    ),
  ).toEqual([
    { x: 1, values: [10, undefined] },
    { x: 2, values: [undefined, 20] },
    { x: 3, values: [null, undefined] },
  ]);
  const x = Array.from({ length: 1000 }, (_, i) => i);
  const rows = rowsOf(x, [{ label: "a", y: x }], 200);
  expect(rows.length).toBeLessThanOrEqual(201);
  expect(rows[rows.length - 1]?.x).toBe(999);
});
