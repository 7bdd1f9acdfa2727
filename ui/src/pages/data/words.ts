import type { ColumnProfile, Dataset, DatasetVersion, Ref } from "../../data/datasets";
import { utc } from "../../format/time";
import { count, percent, plural, UNKNOWN, value } from "../../format/number";

const sources: Record<string, string> = {
  file: "files of the repository",
  requests: "requests of production",
  split: "split, without the holdout",
  holdout: "held back from the pipeline",
  upload: "sent by a user",
};

/** Where a version comes from, in words. */
export function sourceOf(v: { source: string }): string {
  return sources[v.source] ?? v.source;
}

/** The same in one word, for tables. */
export function kindOf(v: { source: string }): string {
  return v.source === "file" ? "repository" : v.source;
}

/** "recent/24" */
export function nameOf(ref: Ref): string {
  return `${ref.dataset}/${ref.n}`;
}

/**
 * The version to compare with, of those that are known: the one before of the same kind, or
 * else the one before, or else the next.
 */
export function besides(
  n: number,
  all: readonly DatasetVersion[],
): Pick<DatasetVersion, "n"> | undefined {
  const here = all.find((v) => v.n === n);
  const older = all.filter((v) => v.n < n);
  if (older.length === 0 && n > 1) return { n: n - 1 }; // on a page that is not here
  return older.find((v) => v.source === here?.source) ?? older[0] ?? all.findLast((v) => v.n > n);
}

/** A version as an address names it beside a dataset: by its number, or with another dataset's. */
export function readRef(from: string, dataset: string): { dataset: string; n: string } {
  const slash = from.lastIndexOf("/");
  return slash < 0
    ? { dataset, n: from }
    : { dataset: from.slice(0, slash), n: from.slice(slash + 1) };
}

/** How many of the columns of one table another has, by name and type. */
const shared = (a: Dataset, b: Dataset) =>
  a.columns.filter((c) => b.columns.some((o) => o.name === c.name && o.type === c.type)).length;

/** Other datasets: those first that a dataset can be compared with best, by their columns. */
export function fitting(dataset: string, all: readonly Dataset[]) {
  const here = all.find((d) => d.dataset === dataset);
  return all
    .filter((d) => d !== here)
    .map((d) => ({ dataset: d.dataset, n: d.n, shared: here ? shared(here, d) : 0 }))
    .sort((a, b) => b.shared - a.shared || a.dataset.localeCompare(b.dataset));
}

/** The stream time that a version covers: "2011-01-01 to 2011-02-28". */
export function covers(v: Pick<DatasetVersion, "from_at" | "to_at">): string {
  if (!v.from_at && !v.to_at) return UNKNOWN;
  return `${v.from_at?.slice(0, 10) ?? "…"} to ${v.to_at?.slice(0, 10) ?? "…"}`;
}

/** What a column is in its table, besides a value. */
export function rolesOf(v: DatasetVersion, column: string): string[] {
  const roles: [string, string | undefined][] = [
    ["time", v.time],
    ["key", v.key],
    ["label", v.label],
  ];
  return roles.filter(([, name]) => name === column).map(([role]) => role);
}

/** How a name is written in SQL. */
export function quoted(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replace(/"/g, '""')}"`;
}

/** A time of the server as it is shown in a cell: "2011-01-01 05:00:00". */
export function moment(text: string): string {
  return text.replace("T", " ").replace(/(\.\d+)?Z$/, "");
}

/** Unix microseconds as a day or a minute in UTC. */
export function micros(us: number, whole = false): string {
  const text = utc(us / 1000);
  return whole ? text : text.slice(0, 10);
}

/** How many values are missing: "none", "3 of 120 (2.5 %)". */
export function missingOf(p: Pick<ColumnProfile, "nulls" | "count">): string {
  const all = p.nulls + p.count;
  return p.nulls === 0 ? "none" : `${count(p.nulls)} of ${count(all)} (${percent(p.nulls / all)})`;
}

/** The range of a column in a few words. */
export function rangeOf(p: ColumnProfile): string {
  if (p.numbers) return `${value(p.numbers.min)} to ${value(p.numbers.max)}`;
  if (p.times) return `${p.times.min.slice(0, 10)} to ${p.times.max.slice(0, 10)}`;
  if (p.top?.length)
    return p.top
      .slice(0, 3)
      .map((t) => t.value || "(empty)")
      .join(", ");
  return "no values";
}

/** "12 columns" and how many of each type. */
export function shapeOf(v: DatasetVersion): string {
  return `${plural(v.rows, "row")}, ${plural(v.columns.length, "column")}`;
}

/** A value of a row as text, and what it is where that has to be told apart. */
export function cellText(v: unknown): string {
  if (v === null || v === undefined) return "";
  if (typeof v === "string") return v;
  if (typeof v === "number" || typeof v === "boolean") return String(v);
  return JSON.stringify(v);
}
