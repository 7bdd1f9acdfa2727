// What charts of lines compute before they draw. Values are null where there is no
// number; x rises.

/** One line. Without an x of its own it has that of its chart. */
export interface Line {
  label: string;
  y: readonly (number | null)[];
  x?: readonly number[];
  /** The range that each y stands for, when many points were thinned to it. */
  low?: readonly (number | null)[];
  high?: readonly (number | null)[];
  /** The values before they were smoothed; drawn faintly behind. */
  raw?: readonly (number | null)[];
  /** From 1: the place in the palette (see styleOf). Default: its place among the lines. */
  color?: number;
}

/** A range of an axis. */
export type Range = readonly [from: number, to: number];

const COLORS = 8;
const DASHES: readonly (readonly number[])[] = [[], [7, 4], [2, 3], [10, 3, 2, 3]];

/**
 * How the nth line is drawn, n from 1: eight colours, and then the same with other
 * dashes, so that 32 lines can be told apart, and the colour is not the only sign.
 */
export function styleOf(n: number): { color: string; dash: readonly number[] } {
  const i = Math.max(0, n - 1);
  return {
    color: `--f-series-${(i % COLORS) + 1}`,
    dash: DASHES[Math.floor(i / COLORS) % DASHES.length] ?? [],
  };
}

/**
 * An exponential moving average, without the bias to its first value, that depends on the
 * distances along x: it looks the same however many points a line was thinned to. weight
 * is from 0 (none) to 0.999; at the default scale a thousandth of the range is one step.
 */
export function smooth(
  x: readonly number[],
  y: readonly (number | null)[],
  weight: number,
): (number | null)[] {
  const range = (x[x.length - 1] ?? 0) - (x[0] ?? 0);
  if (weight <= 0 || range <= 0) return [...y];
  const w = Math.min(Math.sqrt(weight), 0.999);
  let [sum, debias] = [0, 0];
  let before: number | undefined;
  return y.map((v, i) => {
    if (v === null) return null;
    const at = x[i] ?? 0;
    const decay = before === undefined ? 0 : w ** (((at - before) / range) * 1000);
    before = at;
    sum = sum * decay + v * (1 - w);
    debias = debias * decay + (1 - w);
    return sum / debias;
  });
}

/**
 * The range of y that leaves outliers out: from the 5th to the 95th percentile of all
 * values, and half as much again on both sides. Undefined when nothing lies outside.
 */
export function withoutOutliers(values: readonly (number | null | undefined)[]): Range | undefined {
  const sorted = values.filter((v) => typeof v === "number").sort((a, b) => a - b);
  if (sorted.length < 20) return undefined;
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))] ?? 0;
  const [low, high] = [at(0.05), at(0.95)];
  const margin = (high - low) / 2;
  const range: Range = [Math.max(low - margin, at(0)), Math.min(high + margin, at(1))];
  return margin > 0 && (range[0] > at(0) || range[1] < at(1)) ? range : undefined;
}

/** Leaves out what a logarithmic axis does not have: what is not above zero. */
export function aboveZero<T extends Line>(line: T, x: boolean, y: boolean): T {
  if (!x && !y) return line;
  const above = (v: number | null) => (v !== null && v > 0 ? v : null);
  const out = { ...line };
  if (y) {
    out.y = line.y.map(above);
    if (line.low) out.low = line.low.map(above);
    if (line.high) out.high = line.high.map(above);
    if (line.raw) out.raw = line.raw.map(above);
  }
  if (x && line.x) {
    const keep = line.x.map((v) => v > 0);
    const kept = <T>(all: readonly T[]) => all.filter((_, i) => keep[i]);
    out.x = kept(line.x);
    out.y = kept(out.y);
    if (out.low) out.low = kept(out.low);
    if (out.high) out.high = kept(out.high);
    if (out.raw) out.raw = kept(out.raw);
  }
  return out;
}

/** The index of the value that is nearest to i, along the line; -1 when there is none near. */
export function nearest(y: ArrayLike<number | null | undefined>, i: number, reach = 400): number {
  for (let d = 0; d <= reach; d++) {
    if (i - d >= 0 && typeof y[i - d] === "number") return i - d;
    if (i + d < y.length && typeof y[i + d] === "number") return i + d;
  }
  return -1;
}

/** A line as rows of a table, thinned to at most n of them. */
export function rowsOf(x: readonly number[], lines: readonly Line[], n = 2000): TableRow[] {
  const xs = [...new Set(lines.flatMap((l) => l.x ?? x))].sort((a, b) => a - b);
  const every = Math.max(1, Math.ceil(xs.length / n));
  const shown = xs.filter((_, i) => i % every === 0 || i === xs.length - 1);
  const places = lines.map((l) => new Map((l.x ?? x).map((at, i) => [at, i])));
  return shown.map((at) => ({
    x: at,
    values: lines.map((l, k) => {
      const i = places[k]?.get(at);
      return i === undefined ? undefined : (l.y[i] ?? null);
    }),
  }));
}

/** A row of the table behind a chart; undefined where a line has no point, null where no number. */
export interface TableRow {
  x: number;
  values: (number | null | undefined)[];
}
