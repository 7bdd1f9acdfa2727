import type { MetricSummary, TrackedRun } from "../../data/run";

/** A run with its metrics, as a comparison has it. */
export interface Compared {
  run: TrackedRun;
  metrics: readonly MetricSummary[];
}

/** What runs are compared by: metrics.auc, params.lr, tags.team, or an attribute. */
export interface Column {
  /** As searches name it: metrics.auc. */
  id: string;
  kind: "metrics" | "params" | "tags" | "run";
  name: string;
  /** Of each run, in their order; undefined where one has none. */
  values: (number | string | undefined)[];
  /** All that are there are numbers. */
  numeric: boolean;
  /** The runs differ in it. */
  differs: boolean;
}

/** Tags that programs set for themselves, of which these alone are compared. */
const told = new Set(["mlflow.source.name", "mlflow.source.git.commit", "fairlead.commit"]);
const isTold = (tag: string) => !/^(mlflow|fairlead)\./.test(tag) || told.has(tag);

/** A text that is a number, as params are. */
export function asNumber(v: number | string | undefined): number | undefined {
  if (typeof v === "number") return v;
  if (v === undefined || v.trim() === "") return undefined;
  const n = Number(v);
  return Number.isNaN(n) ? undefined : n;
}

/** All that the runs can be compared by, in the order: params, metrics, tags, the rest. */
export function columnsOf(all: readonly Compared[]): Column[] {
  const column = (
    kind: Column["kind"],
    name: string,
    value: (c: Compared) => number | string | undefined,
  ): Column => {
    const values = all.map(value);
    const there = values.filter((v) => v !== undefined);
    return {
      id: `${kind}.${name}`,
      kind,
      name,
      values,
      numeric: there.length > 0 && there.every((v) => asNumber(v) !== undefined),
      differs: new Set(values).size > 1,
    };
  };
  const names = (of: (c: Compared) => string[]) =>
    [...new Set(all.flatMap(of))].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  const lasts = new Map(all.map((c) => [c, new Map(c.metrics.map((m) => [m.key, m.last]))]));
  return [
    ...names((c) => Object.keys(c.run.params)).map((n) =>
      column("params", n, (c) => c.run.params[n]),
    ),
    ...names((c) => c.metrics.map((m) => m.key)).map((n) =>
      column("metrics", n, (c) => {
        const v = lasts.get(c)?.get(n);
        return v === null ? Number.NaN : v;
      }),
    ),
    ...names((c) => Object.keys(c.run.tags).filter(isTold)).map((n) =>
      column("tags", n, (c) => c.run.tags[n]),
    ),
    column("run", "duration", (c) => (c.run.end_ms ? c.run.end_ms - c.run.start_ms : undefined)),
    column("run", "status", (c) => c.run.status),
    column("run", "user", (c) => c.run.user),
    column(
      "run",
      "dataset",
      (c) => c.run.datasets.map((d) => `${d.name} ${d.digest}`).join(", ") || undefined,
    ),
  ];
}

/** Which end of an axis is the better one. */
export type Better = "high" | "low";

const low = /(loss|err|error|wape|mape|smape|mae|mse|rmse|perplexity|duration|seconds)$/i;
const high = /(acc|accuracy|auc|roc_auc|f1|precision|recall|r2|score|ndcg|bleu|map|iou|dice)$/i;

/** Which end is the better one of a metric of that name; undefined where it does not say so. */
export function betterOf(name: string): Better | undefined {
  return low.test(name) ? "low" : high.test(name) ? "high" : undefined;
}

/** Columns in the order in which a reader wants them: what was validated, what says how good. */
export function byInterest(columns: readonly Column[]): Column[] {
  const dull = (c: Column) =>
    Number(/^system\//.test(c.name)) * 4 +
    Number(!betterOf(c.name)) * 2 +
    Number(!/val|test|eval/i.test(c.name));
  return [...columns].sort((a, b) => dull(a) - dull(b));
}

/**
 * The Pareto front: the points that no other one is at least as good as in both values,
 * and better in one. Returns their indices, along x.
 */
export function paretoFront(
  points: readonly (readonly [x: number, y: number] | undefined)[],
  better: readonly [Better, Better],
): number[] {
  const signs = better.map((b) => (b === "high" ? -1 : 1));
  const sorted = points
    .flatMap((p, i) => (p ? [{ i, x: p[0] * (signs[0] ?? 1), y: p[1] * (signs[1] ?? 1) }] : []))
    .sort((a, b) => a.x - b.x || a.y - b.y);
  const front: { i: number; x: number; y: number }[] = [];
  for (const p of sorted) {
    const last = front.at(-1);
    if (!last || p.y < last.y || (p.y === last.y && p.x === last.x)) front.push(p);
  }
  return front.map((p) => p.i).sort((a, b) => (points[a]?.[0] ?? 0) - (points[b]?.[0] ?? 0));
}
