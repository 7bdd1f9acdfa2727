import { describe, expect, it } from "vitest";
import { stacked } from "../../charts/Board";
import { niceTicks, rangeOf, type WindowLine } from "../../charts/WindowChart";
import type { PerformanceHistory } from "../../data/monitoring";
import { parse, shade, step, tell, type Palette } from "./cells";
import { linesOf, worthOf } from "./PerformanceBoard";

const palette: Palette = {
  none: parse("#ffffff"),
  low: parse("#000000"),
  high: parse("#0000ff"),
  over: parse("#ff8800"),
  mark: "#fff",
};

describe("a cell", () => {
  it("is pale to strong up to its limit, and of another hue beyond", () => {
    expect(shade(palette, { psi: 0, limit: 1, red: false })).toBe("rgb(0 0 0)");
    expect(shade(palette, { psi: 1, limit: 1, red: false })).toBe("rgb(0 0 255)");
    expect(shade(palette, { psi: 1.5, limit: 1, red: true })).toBe("rgb(255 136 0)");
    expect(shade(palette, { psi: null, limit: null, red: false })).toBe("rgb(255 255 255)");
  });

  it("is told in words", () => {
    expect(tell({ psi: 2.876, limit: 2.3, red: true })).toBe("PSI 2.88, limit 2.3, red");
    expect(tell({ psi: 0.1, limit: 2, red: true })).toBe("PSI 0.1, limit 2, red: it is missing");
    expect(tell({ psi: null, limit: null, red: false })).toBe("not judged");
  });

  it("is left by keys, within the map", () => {
    const at = { row: 1, column: 5 };
    expect(step("ArrowUp", at, 3, 20)).toEqual({ row: 0, column: 5 });
    expect(step("PageUp", at, 3, 20)).toEqual({ row: 1, column: 0 });
    expect(step("End", at, 3, 20)).toEqual({ row: 1, column: 19 });
    expect(step("ArrowDown", { row: 2, column: 0 }, 3, 20)).toEqual({ row: 2, column: 0 });
    expect(step("x", at, 3, 20)).toBeUndefined();
  });
});

function history(figures: { version: number; value: number; worth?: number }[][]) {
  return {
    step_ms: 0,
    windows: figures.length,
    higher_is_better: false,
    stretches: figures.map((all, i) => ({
      from: new Date(i * 86_400_000).toISOString(),
      to: new Date((i + 1) * 86_400_000).toISOString(),
      windows: 1,
      reds: 0,
      worst: {
        endpoint: "m@p",
        model: "m",
        kind: "performance",
        from: "",
        to: "",
        version: 2,
        state: i === 0 ? "unknown" : "green",
        value: all.find((f) => f.version === 2)?.value ?? 0,
        limit: 1,
        rows: 24,
        coverage: 1,
        figures: all.map((f) => ({ ...f, rows: 24 })),
      },
    })),
  } satisfies PerformanceHistory;
}

const ys = (l: WindowLine | undefined) => l?.points.map((p) => p.y);

describe("the lines of a metric", () => {
  const all = history([
    [{ version: 1, value: 0.5 }],
    [
      { version: 1, value: 0.6 },
      { version: 2, value: 0.2 },
    ],
    [
      { version: 1, value: 0.7 },
      { version: 2, value: 0.3 },
    ],
    [
      { version: 1, value: 0.7 },
      { version: 2, value: 0.3 },
    ],
    [
      { version: 1, value: 0.7 },
      { version: 2, value: 0.3 },
      { version: 3, value: 0.1 },
    ],
  ]);
  it("are the live version, what stays beside it, what is tried, and the limit", () => {
    const lines = linesOf(all);
    expect(lines.map((l) => l.label)).toEqual([
      "live version",
      "version 1, beside the live one",
      "versions on trial",
      "limit of the live version",
    ]);
    expect(ys(lines[0])).toEqual([null, 0.2, 0.3, 0.3, 0.3]); // unknown is no figure
    expect(ys(lines[1])).toEqual([0.5, 0.6, 0.7, 0.7, 0.7]);
    expect(ys(lines[2])).toEqual([null, null, null, null, 0.1]);
  });

  it("have a worth only where the file says what answers are worth", () => {
    expect(worthOf(all)).toEqual([]);
    const [live] = worthOf(history([[{ version: 2, value: 0.2, worth: 12 }]]));
    expect(ys(live)).toEqual([12]);
  });
});

describe("a scale", () => {
  const line = (y: number[]): WindowLine => ({
    label: "",
    color: 1,
    points: y.map((v, i) => ({ from: i, to: i + 1, y: v })),
  });
  it("begins at zero, and is not flattened by one outlier", () => {
    expect(rangeOf([line([0.2, 0.4])])[1]).toBeCloseTo(0.416);
    expect(rangeOf([line([...Array<number>(60).fill(0.2), 2.1])])[1]).toBeLessThan(0.4);
    expect(rangeOf([line([-1, 1])])[0]).toBe(-1);
    expect(rangeOf([])).toEqual([0, 1]);
  });
  it("has round ticks", () => {
    expect(niceTicks(0, 0.83)).toEqual([0, 0.25, 0.5, 0.75]);
    expect(niceTicks(0, 3)).toEqual([0, 1, 2, 3]);
  });
});

it("puts spans that meet in rows of their own", () => {
  const spans = [
    { from: 0, to: 2 },
    { from: 1, to: 3 },
    { from: 2, to: 4 },
  ];
  expect(stacked(spans)).toEqual([
    [
      { from: 0, to: 2 },
      { from: 2, to: 4 },
    ],
    [{ from: 1, to: 3 }],
  ]);
});
