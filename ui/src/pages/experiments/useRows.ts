import {
  skipToken,
  useQueries,
  useQuery,
  useQueryClient,
  type UseQueryResult,
} from "@tanstack/react-query";
import { useCallback, useEffect, useMemo } from "react";
import { failureOf } from "../../components/State";
import {
  runGroups,
  runIds,
  tableHead,
  tableKey,
  tableWindow,
  type Group,
  type Groups,
  type Rows,
  type TableRow,
  type Window,
  type WindowPage,
} from "../../data/runtable";
import type { GridRow } from "./GridRows";
import { find, lay, mend, toggle, type Level, type Open, type Opened } from "./levels";
import { groupFilter, kindOf } from "./view";

/** A row of a table of runs: a run, or a group of them. */
export interface RunsRow extends GridRow {
  run?: TableRow;
  of?: Group;
  level: Level;
  at: number;
}

/** Rows and columns that are read together; a request sums up no more than 20 metrics. */
const BLOCK = 50;
const COLUMNS = 20;

/** Cuts columns into those that are read together. */
export function blocksOf(columns: string[]): string[][] {
  const out: string[][] = [];
  for (let i = 0; i < columns.length; i += COLUMNS) out.push(columns.slice(i, i + COLUMNS));
  return out.length > 0 ? out : [[]];
}

const closed: Opened = {};

const place = (filter: string, under: string, at: number) => `${filter}\n${under}\n${at}`;

/** Puts the columns of windows together, by the places of their rows. */
function merge(results: UseQueryResult<WindowPage>[]) {
  const rows: Record<string, TableRow> = {};
  const experiments: WindowPage["page"]["experiments"] = {};
  for (const { data } of results) {
    if (!data) continue;
    Object.assign(experiments, data.page.experiments);
    data.page.rows.forEach((row, i) => {
      const at = place(data.filter, data.window.under, data.page.offset + i);
      const had = rows[at];
      rows[at] =
        had?.id === row.id
          ? {
              ...row,
              metrics: { ...had.metrics, ...row.metrics },
              below: { ...had.below, ...row.below },
              params: { ...had.params, ...row.params },
              tags: { ...had.tags, ...row.tags },
            }
          : row;
    });
  }
  return { rows, experiments, failed: results.find((r) => r.isError || failureOf(r) !== null) };
}

const groupKey = (values: (string | null)[]) => JSON.stringify(values);

/** Puts the sums of groups together, by what the groups have in common. */
function sumsOf(results: UseQueryResult<Groups>[]) {
  const out: Record<string, Group["metrics"]> = {};
  for (const { data } of results)
    for (const g of data?.groups ?? []) {
      const key = groupKey(g.values);
      out[key] = { ...out[key], ...g.metrics };
    }
  return out;
}

type Answer = UseQueryResult<{ runs: number }>;

interface Wanted {
  rows: Rows;
  by: string[];
  /** The columns that are read together, of those in sight. */
  blocks: string[][];
  /** The rows in sight. */
  sight: readonly [number, number];
}

/** The rows of a table of runs: what is in sight is loaded, and goes on while runs do. */
export function useRows({ rows, by, blocks, sight }: Wanted) {
  const client = useQueryClient();
  const grouped = by.length > 0;
  // What is open is kept as long as what was loaded: it is there again on the way back.
  const kept = useMemo(() => [...tableKey(rows), "opened", by], [rows, by]);
  const opened = useQuery<Opened>({ queryKey: kept, queryFn: skipToken, initialData: closed });
  const levels = opened.data ?? closed;
  const head = useQuery(tableHead(rows));
  const groups = useQuery({ ...runGroups(rows, by, []), enabled: grouped });
  const metrics = blocks
    .map((b) => b.filter((c) => kindOf(c) === "metric"))
    .filter((b) => b.length > 0);
  const sums = useQueries({
    queries: (groups.data ? metrics : []).map((m) => runGroups(rows, by, m)),
    combine: sumsOf,
  });
  const list = useMemo(
    () =>
      groups.data?.groups.map((g) => ({ ...g, metrics: sums[groupKey(g.values)] ?? g.metrics })),
    [groups.data, sums],
  );
  const first: Answer = grouped ? groups : head;
  const ready = first.data !== undefined;
  const total = (grouped ? list?.length : head.data?.total) ?? 0;
  const root: Level = useMemo(() => ({ key: "", depth: 0, total, under: "" }), [total]);
  const { segments, total: all } = useMemo(() => lay(root, levels), [root, levels]);

  // A group's runs are a table of their own, with its filter.
  const rowsOf = useCallback(
    ({ group }: Level): Rows =>
      group ? { ...rows, filter: groupFilter(rows.filter, by, group) } : rows,
    [rows, by],
  );
  const open = new Map(
    segments.flatMap(({ level }) => {
      const of = rowsOf(level);
      return level.group ? [[of.filter, of]] : [];
    }),
  );
  const heads = useQueries({ queries: [...open.values()].map((of) => tableHead(of)) });
  const snapshotOf = (of: Rows) =>
    (of === rows ? head : heads[[...open.keys()].indexOf(of.filter)])?.data?.snapshot;
  const wanted = new Map<string, { of: Rows; window: Window }>();
  for (let i = sight[0]; ready && i <= Math.min(sight[1], all - 1); i++) {
    const found = find(segments, i);
    if (!found || (grouped && found.level.depth === 0)) continue;
    const of = rowsOf(found.level);
    const snapshot = snapshotOf(of);
    if (!snapshot) continue;
    const { under } = found.level;
    const offset = Math.floor(found.at / BLOCK) * BLOCK;
    for (const select of blocks) {
      const window = { snapshot, under, offset, limit: BLOCK, select };
      wanted.set(JSON.stringify([of.filter, window]), { of, window });
    }
  }
  const windows = useQueries({
    queries: [...wanted.values()].map(({ of, window }) => tableWindow(client, of, window)),
    combine: merge,
  });

  const loaded = windows.rows;
  const runAt = useCallback(
    (level: Level, at: number) => loaded[place(rowsOf(level).filter, level.under, at)],
    [loaded, rowsOf],
  );
  const row = useCallback(
    (index: number): Omit<RunsRow, "selected"> | undefined => {
      const found = find(segments, index);
      if (!found) return undefined;
      const { level, at } = found;
      const group = grouped && level.depth === 0;
      const of = group ? list?.[at] : undefined;
      const run = group ? undefined : runAt(level, at);
      if (!of && !run) return undefined;
      return {
        key: of ? groupKey(of.values) : (run?.id ?? ""),
        depth: level.depth,
        level,
        at,
        ...(of && { group: true, of }),
        ...(run && { run }),
        ...((of?.runs ?? run?.children) && {
          open: (levels[level.key] ?? []).some((o) => o.at === at),
        }),
      };
    },
    [segments, levels, grouped, list, runAt],
  );

  // In a list that was made anew, what is open stands elsewhere, or is gone.
  useEffect(() => {
    const now = (level: Level, o: Open): Open | undefined => {
      const { group, under } = o.child;
      let { at } = o;
      if (!under) at = list?.findIndex((g) => groupKey(g.values) === groupKey(group ?? [])) ?? at;
      else if (runAt(level, at) && runAt(level, at)?.id !== under) {
        const there = place(rowsOf(level).filter, level.under, 0).slice(0, -1);
        const found = Object.entries(loaded).find(
          ([key, r]) => r.id === under && key.startsWith(there),
        );
        at = found ? Number(found[0].slice(there.length)) : -1;
      }
      if (at < 0) return undefined;
      const rows = under ? runAt(level, at)?.children : list?.[at]?.runs;
      const total = rows ?? o.child.total;
      return at === o.at && total === o.child.total ? o : { at, child: { ...o.child, total } };
    };
    const next = mend(root, levels, now);
    if (next !== levels) client.setQueryData(kept, next);
  }, [root, levels, list, loaded, runAt, rowsOf, client, kept]);

  return {
    row,
    toggleRow: (r: RunsRow) => {
      const { level, at, of, run } = r;
      const child: Level = {
        key: `${level.key}/${r.key}`,
        depth: level.depth + 1,
        total: of?.runs ?? run?.children ?? 0,
        under: run?.id ?? "",
        ...(of ? { group: of.values } : level.group && { group: level.group }),
      };
      client.setQueryData(kept, toggle(levels, level, { at, child }));
    },
    closeAll: () => client.setQueryData(kept, closed),
    /** The ids of the runs between two rows, those that are not loaded too. */
    between: async (from: number, to: number): Promise<string[]> => {
      const ids = segments.map(async ({ start, level, offset, length }) => {
        const first = Math.max(from, start);
        const n = Math.min(to + 1, start + length) - first;
        const of = rowsOf(level);
        const snapshot = snapshotOf(of);
        if (n <= 0 || !snapshot || (grouped && level.depth === 0)) return [];
        const here = Array.from({ length: n }, (_, i) => runAt(level, offset + first - start + i));
        if (here.every((r) => r)) return here.flatMap((r) => r?.id ?? []);
        return runIds(of, {
          snapshot,
          under: level.under,
          offset: offset + first - start,
          length: n,
        });
      });
      return (await Promise.all(ids)).flat();
    },
    /** The ids of the runs of a group. */
    inGroup: (of: Group) => runIds({ ...rows, filter: groupFilter(rows.filter, by, of.values) }),
    /** Those of the rows that are loaded, by their ids. */
    experiments: windows.experiments,
    count: all,
    ready,
    /** What tells how many rows there are. */
    first,
    /** Of what is in sight, what could not be loaded or renewed. */
    failed: first.isError ? first : windows.failed,
    /** On all levels. */
    runs: first.data?.runs,
    groups: grouped ? groups.data?.total : undefined,
    newer: head.data?.newer ?? 0,
  };
}
