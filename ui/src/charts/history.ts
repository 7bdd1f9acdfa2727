import type { ChartLine } from "../data/charts";
import { smooth, type Line, type Range } from "./lines";

/** What the x axis of a history says: steps, wall time, or time since the run's start. */
export type Axis = "step" | "time" | "relative";

/**
 * The axis on which lines can be drawn: those whose points all have the same step, or the
 * like, lie along time, whatever was asked for.
 */
export function axisOf(lines: readonly ChartLine[], asked: Axis): Axis {
  const timed = lines.length > 0 && lines.every((l) => l.by === "time" || l.points === 0);
  return asked === "step" && timed ? "relative" : asked;
}

interface LineOptions {
  label: string;
  axis: Axis;
  /** When its run started, in ms. */
  start: number;
  /** Weight of the moving average, 0 to 1. */
  smoothing: number;
  color: number;
}

/** The line that a history is drawn as. What was thinned is drawn at its mean, in its range. */
export function lineOf(h: ChartLine, o: LineOptions): Line {
  const from = o.axis === "step" ? h.step : h.ms;
  const to = o.axis === "step" ? h.to_step : h.to_ms;
  const shift = o.axis === "relative" ? o.start : 0;
  const x = from.map((at, i) => (at + (to?.[i] ?? at)) / 2 - shift);
  const raw = h.mean ?? h.last;
  const thinned = h.min && h.max ? { low: h.min, high: h.max } : {};
  const line = { label: o.label, color: o.color, x, y: raw, ...thinned };
  return o.smoothing > 0 ? { ...line, y: smooth(x, raw, o.smoothing), raw } : line;
}

/** The part of a history that a zoom shows, as the server is asked for it. */
export function partOf(zoom: Range, axis: Axis, start: number): { from: number; to: number } {
  const shift = axis === "relative" ? start : 0;
  const beyond = (zoom[1] - zoom[0]) / 50; // so that lines reach the edges
  return {
    from: Math.floor(zoom[0] - beyond + shift),
    to: Math.ceil(zoom[1] + beyond + shift),
  };
}

/** How many points of histories are no numbers. */
export function oddities(lines: readonly ChartLine[]): { nans: number; infinities: number } {
  const sum = (all: readonly number[] | undefined) => (all ?? []).reduce((a, b) => a + b, 0);
  let [nans, infinities] = [0, 0];
  for (const l of lines) {
    nans += sum(l.nans);
    infinities += sum(l.highs) + sum(l.lows);
  }
  return { nans, infinities };
}
