// Axes of charts that are drawn by hand.

/** From values to places between 0 and 1, and the values that are written beside it. */
export interface Scale {
  at: (v: number) => number;
  ticks: number[];
}

/** A scale over values with some room around; logarithmic ones are for values above zero. */
export function scaleOf(values: readonly number[], log = false, wanted = 5): Scale {
  const finite = values.filter((v) => Number.isFinite(v) && (!log || v > 0));
  if (finite.length === 0) return { at: () => 0.5, ticks: [] };
  const [least, most] = [Math.min(...finite), Math.max(...finite)];
  if (log) return logarithmic(least, most);
  const room = least === most ? Math.max(Math.abs(least) * 0.1, 1e-9) : (most - least) * 0.05;
  const [from, to] = [least - room, most + room];
  return { at: (v) => (v - from) / (to - from), ticks: roundTicks(from, to, wanted) };
}

function logarithmic(least: number, most: number): Scale {
  const room = least === most ? 0.5 : Math.log10(most / least) * 0.05;
  const [from, to] = [Math.log10(least) - room, Math.log10(most) + room];
  const decades: number[] = [];
  for (let e = Math.ceil(from); e <= to; e++) decades.push(10 ** e);
  const ticks = decades.length >= 2 ? decades : roundTicks(10 ** from, 10 ** to, 4);
  return { at: (v) => (Math.log10(v) - from) / (to - from), ticks };
}

/** Round numbers within a range: about so many, at distances of 1, 2 or 5. */
export function roundTicks(from: number, to: number, wanted: number): number[] {
  const rough = (to - from) / Math.max(1, wanted);
  if (!(rough > 0) || !Number.isFinite(rough)) return [];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((n) => n * power >= rough * 0.999) ?? 10) * power;
  const ticks: number[] = [];
  for (let n = Math.ceil(from / step); n * step <= to; n++) {
    ticks.push(Number((n * step).toPrecision(12)));
  }
  return ticks;
}
