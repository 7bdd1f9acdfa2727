import { value } from "../../format/number";
import { period } from "../../charts/timeframe";
import type { DriftHistory, Stretch } from "../../data/monitoring";

/** One feature in one stretch of time; null where it was not judged. */
export interface HeatCell {
  psi: number | null;
  limit: number | null;
  red: boolean;
}

type Track = DriftHistory["features"][number];

export function cellOf(track: Track, column: number): HeatCell {
  return {
    psi: track.psi[column] ?? null,
    limit: track.limit[column] ?? null,
    red: track.red[column] ?? false,
  };
}

/** What a cell tells, in words. */
export function tell(cell: HeatCell): string {
  if (cell.psi === null) return "not judged";
  const beyond = cell.red ? (cell.psi > (cell.limit ?? 0) ? ", red" : ", red: it is missing") : "";
  return `PSI ${value(cell.psi, 3)}, limit ${value(cell.limit, 3)}${beyond}`;
}

export const stretchText = (s: Stretch) => period(Date.parse(s.from), Date.parse(s.to));

export type Colour = [red: number, green: number, blue: number];

/** The colours of a heat map in the present theme. */
export interface Palette {
  none: Colour;
  low: Colour;
  high: Colour;
  over: Colour;
  mark: string;
}

export function readPalette(style: CSSStyleDeclaration): Palette {
  const of = (name: string) => parse(style.getPropertyValue(name));
  return {
    none: of("--f-surface"),
    low: of("--f-heat-low"),
    high: of("--f-heat-high"),
    over: of("--f-heat-over"),
    mark: style.getPropertyValue("--f-heat-mark").trim(),
  };
}

/** Reads "#0a6fa8"; black when it is anything else. */
export function parse(hex: string): Colour {
  const n = /^\s*#([0-9a-f]{6})\s*$/i.exec(hex)?.[1];
  if (n === undefined) return [0, 0, 0];
  const v = Number.parseInt(n, 16);
  return [(v >> 16) & 255, (v >> 8) & 255, v & 255];
}

function mix(a: Colour, b: Colour, share: number): Colour {
  const at = (i: 0 | 1 | 2) => Math.round(a[i] + (b[i] - a[i]) * share);
  return [at(0), at(1), at(2)];
}

/**
 * The colour of a cell: from pale to strong blue up to its limit, and orange beyond. Blue
 * and orange stay apart for every kind of colour-blindness, and red cells carry a mark.
 */
export function shade(p: Palette, cell: HeatCell): string {
  if (cell.psi === null) return css(p.none);
  if (cell.red) return css(p.over);
  const share = cell.limit ? Math.min(1, cell.psi / cell.limit) : 0;
  return css(mix(p.low, p.high, share ** 1.3));
}

const css = (c: Colour) => `rgb(${c.join(" ")})`;

/** Where a key leads from a cell; undefined for keys that lead nowhere. */
export function step(
  key: string,
  at: { row: number; column: number },
  rows: number,
  columns: number,
): { row: number; column: number } | undefined {
  const moves: Record<string, [row: number, column: number]> = {
    ArrowLeft: [0, -1],
    ArrowRight: [0, 1],
    ArrowUp: [-1, 0],
    ArrowDown: [1, 0],
    PageUp: [0, -10],
    PageDown: [0, 10],
    Home: [0, -columns],
    End: [0, columns],
  };
  const move = moves[key];
  if (move === undefined) return undefined;
  const within = (n: number, most: number) => Math.max(0, Math.min(most - 1, n));
  return { row: within(at.row + move[0], rows), column: within(at.column + move[1], columns) };
}
