// Numbers as people read them. All take the number as it is and give a text with its
// unit; what is unknown is an en dash.

/** What stands for a number that is not known. */
export const UNKNOWN = "–";

type Maybe = number | null | undefined;

const counts = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/** 1,234,567 */
export function count(n: Maybe): string {
  return n == null ? UNKNOWN : counts.format(n);
}

/** 1.23 M: a count of which the size matters and not the last digit. */
export function short(n: Maybe): string {
  if (n == null) return UNKNOWN;
  if (Math.abs(n) < 10_000) return counts.format(n);
  const unit = ["", "k", "M", "G", "T"];
  const power = Math.min(4, Math.floor(Math.log10(Math.abs(n)) / 3));
  return `${significant(n / 1000 ** power, 3)} ${unit[power] ?? ""}`;
}

/** A measured value: four significant digits, with an exponent where it is very large or small. */
export function value(x: Maybe, digits = 4): string {
  if (x == null) return UNKNOWN;
  if (Number.isNaN(x)) return "NaN";
  if (!Number.isFinite(x)) return x > 0 ? "∞" : "−∞";
  if (x === 0) return "0";
  const size = Math.abs(x);
  if (size >= 1e7 || size < 1e-4) {
    const [mantissa = "", exponent = ""] = x.toExponential(digits - 1).split("e");
    return minus(`${trim(mantissa)}e${Number(exponent)}`);
  }
  return significant(x, digits);
}

/** A share of one as a percentage: 0.125 is 12.5 %. */
export function percent(share: Maybe, digits = 3): string {
  return share == null ? UNKNOWN : `${significant(share * 100, digits)} %`;
}

/** 1.5 MB, in powers of 1000 (IEC 80000-13). */
export function bytes(n: Maybe): string {
  if (n == null) return UNKNOWN;
  const unit = ["B", "kB", "MB", "GB", "TB"];
  const power = n < 1 ? 0 : Math.min(4, Math.floor(Math.log10(n) / 3));
  return `${significant(n / 1000 ** power, 3)} ${unit[power] ?? ""}`;
}

/** A length of time in milliseconds: 350 µs, 12 ms, 3.2 s, 4 min 5 s, 2 h 3 min, 3 d 4 h. */
export function duration(ms: Maybe): string {
  if (ms == null) return UNKNOWN;
  if (ms < 0) return minus(`-${duration(-ms)}`);
  if (ms === 0) return "0 s";
  if (ms < 1) return `${significant(ms * 1000, 3)} µs`;
  if (ms < 1000) return `${significant(ms, 3)} ms`;
  if (ms < 60_000) return `${significant(ms / 1000, 3)} s`;
  const s = Math.round(ms / 1000);
  if (s < 3600) return join(Math.floor(s / 60), "min", s % 60, "s");
  const min = Math.round(s / 60);
  if (min < 1440) return join(Math.floor(min / 60), "h", min % 60, "min");
  const h = Math.round(min / 60);
  return join(Math.floor(h / 24), "d", h % 24, "h");
}

function join(a: number, unitA: string, b: number, unitB: string): string {
  return b === 0 ? `${a} ${unitA}` : `${a} ${unitA} ${b} ${unitB}`;
}

/** Requests a second, minute, hour or day: whichever has a number of some size. */
export function rate(requests: number, ms: number): string {
  if (requests === 0 || ms <= 0) return "0 /s";
  const perSecond = (1000 * requests) / ms;
  for (const [unit, seconds] of [
    ["s", 1],
    ["min", 60],
    ["h", 3600],
  ] as const) {
    if (perSecond * seconds >= 1) return `${significant(perSecond * seconds, 3)} /${unit}`;
  }
  return `${significant(perSecond * 86_400, 3)} /d`;
}

/** n significant digits without an exponent and without zeros at the end. */
export function significant(x: number, digits: number): string {
  if (x === 0) return "0";
  const before = Math.floor(Math.log10(Math.abs(x))) + 1;
  const decimals = Math.min(20, Math.max(0, digits - before));
  const format = (formats[decimals] ??= new Intl.NumberFormat("en-US", {
    maximumFractionDigits: decimals,
  }));
  return minus(format.format(x));
}

/** By their decimals: to make one takes as long as to write fifty numbers with it. */
const formats: Intl.NumberFormat[] = [];

function trim(mantissa: string): string {
  return mantissa.includes(".") ? mantissa.replace(/\.?0+$/, "") : mantissa;
}

function minus(text: string): string {
  return text.replace(/-/g, "−");
}

/** "1 run", "2 runs", "no runs" */
export function plural(n: number, one: string, many = `${one}s`): string {
  return n === 0 ? `no ${many}` : n === 1 ? `1 ${one}` : `${count(n)} ${many}`;
}
