// What of a table of runs is shown, as it stands in the address: a link is a saved view.

/** How a metric is shown. */
export const shows = ["last", "best", "min", "max", "curve"] as const;
export type Show = (typeof shows)[number];

export interface RunsView {
  /** A filter, in the language of docs/search.md. */
  q?: string;
  /** What the runs are ordered by, such as "metrics.auc DESC". */
  sort?: string;
  /** Columns by name; "metrics.*" is all metrics. None: the first of each kind. */
  cols?: string[];
  /** Columns that stay in sight at the left. */
  pin?: string[];
  /** What the runs are grouped by. */
  by?: string[];
  /** Runs below others stand among them. */
  flat?: true;
  /** Widths of columns, in CSS pixels. */
  w?: Record<string, number>;
  /** How metrics are shown that are not shown by their last value. */
  show?: Record<string, Show>;
}

const text = (raw: unknown) => (typeof raw === "string" && raw !== "" ? raw : undefined);

function texts(raw: unknown): string[] | undefined {
  if (!Array.isArray(raw)) return undefined;
  return [...new Set(raw.filter((x): x is string => typeof x === "string" && x !== ""))];
}

function entries<T>(raw: unknown, is: (x: unknown) => x is T): Record<string, T> | undefined {
  if (typeof raw !== "object" || raw === null || Array.isArray(raw)) return undefined;
  const good = Object.entries(raw).filter((e): e is [string, T] => is(e[1]));
  return good.length > 0 ? Object.fromEntries(good) : undefined;
}

const isWidth = (x: unknown): x is number =>
  typeof x === "number" && x >= MIN_WIDTH && x <= MAX_WIDTH;
const isShow = (x: unknown): x is Show => shows.some((s) => s === x);

export const MIN_WIDTH = 56;
export const MAX_WIDTH = 900;

/** Reads a view from an address; what makes no sense is left out. */
export function readView(raw: Record<string, unknown>): RunsView {
  const read = {
    q: text(raw["q"]),
    sort: text(raw["sort"]),
    cols: texts(raw["cols"]),
    pin: texts(raw["pin"]),
    by: texts(raw["by"])?.slice(0, 3),
    flat: raw["flat"] === true ? true : undefined,
    w: entries(raw["w"], isWidth),
    show: entries(raw["show"], isShow),
  };
  return Object.fromEntries(
    Object.entries(read).filter(([, v]) => v !== undefined && (!Array.isArray(v) || v.length > 0)),
  ) as RunsView;
}

/** The view with some of it changed; undefined takes a part away. */
export function changed(
  view: RunsView,
  change: { [K in keyof RunsView]?: RunsView[K] | undefined },
): RunsView {
  return readView({ ...view, ...change });
}

/** What a column is, by its name as it stands in a filter. */
export type Kind = "metric" | "parameter" | "tag" | "attribute";

const prefixes: [string, Kind][] = [
  ["metrics.", "metric"],
  ["params.", "parameter"],
  ["tags.", "tag"],
];

export function kindOf(name: string): Kind {
  return prefixes.find(([p]) => name.startsWith(p))?.[1] ?? "attribute";
}

/** The key of a column's name, without its prefix and quotes. */
export function keyOf(name: string): string {
  const prefix = prefixes.find(([p]) => name.startsWith(p))?.[0] ?? "";
  const key = name.slice(prefix.length);
  return key.startsWith("`") && key.endsWith("`") ? key.slice(1, -1).replaceAll("``", "`") : key;
}

/** The attributes of runs that can be columns, with their heads. */
export const attributes: Record<string, string> = {
  start_time: "Started",
  duration: "Duration",
  status: "Status",
  user_id: "User",
  experiment: "Experiment",
  end_time: "Ended",
  run_id: "Run id",
};

/** The head of a column. */
export const headOf = (name: string) => attributes[name] ?? keyOf(name);

/** What the server orders by a column; nothing where it cannot. */
export function orderKey(name: string): string | undefined {
  if (name === "name") return "run_name";
  if (name === "duration" || name === "experiment") return undefined;
  return name;
}

/** "metrics.auc DESC" in its parts. */
export function parseSort(sort: string | undefined): { key: string; desc: boolean } | undefined {
  if (!sort) return undefined;
  const desc = sort.endsWith(" DESC");
  return { key: desc ? sort.slice(0, -5) : sort, desc };
}

const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`;

/** A filter that is true of the runs of a group, and of the filter itself. */
export function groupFilter(filter: string, by: string[], values: (string | null)[]): string {
  const parts = by.map((key, i) => {
    const value = values[i] ?? null;
    return value === null ? `${key} IS NULL` : `${key} = ${quoted(value)}`;
  });
  return (filter ? [`(${filter})`, ...parts] : parts).join(" AND ");
}
