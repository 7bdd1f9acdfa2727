import { useQueries, useQuery, type UseQueryResult } from "@tanstack/react-query";
import { useCallback, useMemo, useState } from "react";
import {
  runGroups,
  tableHead,
  tableWindow,
  type Group,
  type Rows,
  type TableRow,
  type Window,
  type WindowPage,
} from "../../data/runtable";
import type { GridRow } from "./Grid";
import { find, lay, toggle, type Level, type Opened } from "./levels";
import { groupFilter } from "./view";

/** A row of a table of runs: a run, or a group of them. */
export interface RunsRow extends GridRow {
  run?: TableRow;
  of?: Group;
  level: Level;
  at: number;
}

/** Rows and columns that are read together. */
const BLOCK = 50;
const COLUMNS = 24;

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
  let failed: unknown;
  for (const { data, error } of results) {
    failed ??= error;
    if (!data) continue;
    data.page.rows.forEach((row, i) => {
      const at = place(data.filter, data.window.under, data.page.offset + i);
      const had = rows[at];
      rows[at] = had
        ? {
            ...row,
            metrics: { ...had.metrics, ...row.metrics },
            params: { ...had.params, ...row.params },
            tags: { ...had.tags, ...row.tags },
          }
        : row;
    });
  }
  return { rows, failed };
}

interface Wanted {
  rows: Rows;
  by: string[];
  /** Metrics that groups sum up. */
  metrics: string[];
  /** The columns that are read together, of those in sight. */
  blocks: string[][];
  /** The rows in sight. */
  sight: readonly [number, number];
}

/** The rows of a table of runs: what is in sight is loaded, and goes on while runs do. */
export function useRows({ rows, by, metrics, blocks, sight }: Wanted) {
  const [edition, setEdition] = useState(0);
  const grouped = by.length > 0;
  const about = JSON.stringify([rows, by]);
  const [opened, setOpened] = useState<{ about: string; levels: Opened }>({ about, levels: {} });
  const levels = opened.about === about ? opened.levels : closed;
  const head = useQuery({ ...tableHead(rows, edition), enabled: !grouped });
  const groups = useQuery({ ...runGroups(rows, by, []), enabled: grouped });
  const sums = useQuery({
    ...runGroups(rows, by, metrics),
    enabled: grouped && metrics.length > 0 && groups.data !== undefined,
  });
  const ready = grouped
    ? groups.data && !groups.isPlaceholderData
    : head.data && !head.isPlaceholderData;
  const list = sums.data && !sums.isPlaceholderData ? sums.data.groups : groups.data?.groups;
  const total = (grouped ? list?.length : head.data?.total) ?? 0;
  const { segments, total: all } = useMemo(
    () => lay({ key: "", depth: 0, total: ready ? total : 0, under: "" }, levels),
    [ready, total, levels],
  );

  // A group's runs are a table of their own, with its filter.
  const rowsOf = useCallback(
    (level: Level): Rows =>
      level.group === undefined
        ? rows
        : {
            ...rows,
            filter: groupFilter(rows.filter, by, list?.[level.group]?.values ?? []),
          },
    [rows, by, list],
  );
  const openGroups = [
    ...new Set(segments.flatMap((s) => (s.level.group === undefined ? [] : [s.level.group]))),
  ];
  const heads = useQueries({
    queries: openGroups.map((group) =>
      tableHead(rowsOf({ key: "", depth: 1, total: 0, under: "", group }), edition),
    ),
  });
  const wanted = new Map<string, { of: Rows; window: Window }>();
  for (let i = sight[0]; ready && i <= Math.min(sight[1], all - 1); i++) {
    const found = find(segments, i);
    if (!found || (grouped && found.level.depth === 0)) continue;
    const { level } = found;
    const snapshot =
      level.group === undefined
        ? head.data?.snapshot
        : heads[openGroups.indexOf(level.group)]?.data?.snapshot;
    if (!snapshot) continue;
    const offset = Math.floor(found.at / BLOCK) * BLOCK;
    const of = rowsOf(level);
    for (const select of blocks) {
      const window = { snapshot, under: level.under, offset, limit: BLOCK, select };
      wanted.set(JSON.stringify([of.filter, window]), { of, window });
    }
  }
  const windows = useQueries({
    queries: [...wanted.values()].map(({ of, window }) => tableWindow(of, window)),
    combine: merge,
  });

  const loaded = windows.rows;
  const row = useCallback(
    (index: number): Omit<RunsRow, "selected"> | undefined => {
      const found = find(segments, index);
      if (!found) return undefined;
      const { level, at } = found;
      const open = (children: number) =>
        children > 0 ? (levels[level.key] ?? []).some((o) => o.at === at) : undefined;
      if (grouped && level.depth === 0) {
        const of = list?.[at];
        const isOpen = of && open(of.runs);
        return (
          of && {
            key: `group ${at}`,
            depth: 0,
            group: true,
            level,
            at,
            of,
            ...(isOpen !== undefined && { open: isOpen }),
          }
        );
      }
      const run = loaded[place(rowsOf(level).filter, level.under, at)];
      const isOpen = run && open(run.children);
      return (
        run && {
          key: run.id,
          depth: level.depth,
          level,
          at,
          run,
          ...(isOpen !== undefined && { open: isOpen }),
        }
      );
    },
    [segments, levels, grouped, list, loaded, rowsOf],
  );
  const toggleRow = (r: RunsRow) => {
    const child: Level = {
      key: `${r.level.key}/${r.key}`,
      depth: r.level.depth + 1,
      total: r.of?.runs ?? r.run?.children ?? 0,
      under: r.run?.id ?? "",
      ...(r.of ? { group: r.at } : r.level.group !== undefined ? { group: r.level.group } : {}),
    };
    setOpened({ about, levels: toggle(levels, r.level, { at: r.at, child }) });
  };

  return {
    row,
    toggleRow,
    count: all,
    ready: ready === undefined ? false : ready,
    error: (grouped ? groups.error : head.error) ?? windows.failed,
    /** On all levels. */
    runs: grouped ? groups.data?.runs : head.data?.runs,
    groups: grouped ? groups.data?.total : undefined,
    newer: grouped ? 0 : (head.data?.newer ?? 0),
    snapshot: head.data?.snapshot,
    renew: () => {
      setOpened({ about, levels: {} });
      setEdition((n) => n + 1);
      void groups.refetch();
    },
  };
}
