import { bytes, duration, significant, value } from "../../format/number";

/**
 * Writes the values of a metric: with a unit where the end of its name says one. The
 * largest number stands for infinity, as tracking keeps it.
 */
export function formatOf(key: string): (x: number) => string {
  const write = unitOf(key);
  return (x) =>
    Math.abs(x) >= Number.MAX_VALUE ? value(Math.sign(x) * Number.POSITIVE_INFINITY) : write(x);
}

function unitOf(key: string): (x: number) => string {
  const name = key.toLowerCase();
  if (/(^|[_./])bytes$/.test(name)) return bytes;
  if (/(^|[_./])(megabytes|mb)$/.test(name)) return (x) => bytes(x * 1e6);
  if (/(^|[_./])(seconds|secs)$/.test(name)) return (x) => duration(x * 1000);
  if (/(^|[_./])(milliseconds|ms)$/.test(name)) return duration;
  if (/(^|[_./])(percentage|percent|pct)$/.test(name)) return (x) => `${significant(x, 4)} %`;
  return (x) => value(x, 5);
}

/** What metrics are grouped by: what stands before the first slash, or nothing. */
export function groupOf(key: string): string {
  const slash = key.indexOf("/");
  return slash > 0 ? key.slice(0, slash) : "";
}
