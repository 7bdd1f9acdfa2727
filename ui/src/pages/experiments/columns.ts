import { useInfiniteQuery } from "@tanstack/react-query";
import { useEffect, useMemo } from "react";
import { runColumns } from "../../data/runtable";
import type { GridColumn } from "./GridRows";
import { headOf, kindOf, orderKey, parseSort, type Kind, type RunsView, type Show } from "./view";

/** The columns that come first where nobody has chosen any. */
export const usual = ["start_time", "duration", "user_id"];
const widths: Record<string, number> = {
  select: 36,
  name: 300,
  start_time: 130,
  duration: 110,
  status: 100,
  user_id: 110,
  experiment: 150,
  end_time: 130,
  run_id: 270,
};
const wildcards = { "metrics.*": "metric", "params.*": "parameter", "tags.*": "tag" } as const;

/** How many names a page has where all are wanted; otherwise the common ones are. */
const ALL = 1000;

/** All names that a wildcard stands for, page after page, or the most common ones. */
function useSpelledOut(
  project: string,
  experiments: string[],
  kind: "metric" | "parameter" | "tag",
  wanted: boolean,
  limit: number,
): string[] | undefined {
  const q = useInfiniteQuery({
    ...runColumns(project, experiments, kind, "", limit, limit < ALL),
    enabled: wanted,
  });
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = q;
  useEffect(() => {
    if (wanted && limit === ALL && hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [wanted, limit, hasNextPage, isFetchingNextPage, fetchNextPage]);
  return useMemo(() => q.data?.pages.flatMap((p) => p.items.map((c) => c.name)), [q.data]);
}

/** The names of the columns in their order: those of the view, or the usual ones. */
export function useColumns(project: string, experiments: string[], chosen: string[] | undefined) {
  const first = chosen === undefined;
  const metrics = useSpelledOut(project, experiments, "metric", first, 8);
  const params = useSpelledOut(project, experiments, "parameter", first, 6);
  const has = (wildcard: string) => chosen?.includes(wildcard) ?? false;
  const all = {
    "metrics.*": useSpelledOut(project, experiments, "metric", has("metrics.*"), ALL),
    "params.*": useSpelledOut(project, experiments, "parameter", has("params.*"), ALL),
    "tags.*": useSpelledOut(project, experiments, "tag", has("tags.*"), ALL),
  };
  const [m, p, t] = [all["metrics.*"], all["params.*"], all["tags.*"]];
  return useMemo(() => {
    if (!chosen) {
      if (!metrics || !params) return undefined;
      return [...usual, ...metrics, ...params];
    }
    const spelt: Record<string, string[] | undefined> = {
      "metrics.*": m,
      "params.*": p,
      "tags.*": t,
    };
    const out = chosen.flatMap((c) => (c in wildcards ? (spelt[c] ?? []) : [c]));
    return [...new Set(out)];
  }, [chosen, metrics, params, m, p, t]);
}

/** Wide enough for its head, within reason. */
function usualWidth(head: string, kind: Kind, show: Show | undefined): number {
  const note = kind === "parameter" || kind === "tag" || show ? 44 : 0;
  return Math.max(show === "curve" ? 170 : 96, Math.min(240, 34 + note + head.length * 7));
}

/** The columns of the grid: what is pinned, then the others as they are named. */
export function gridColumns(
  names: string[],
  view: RunsView,
  by: string[],
  narrow: boolean,
): GridColumn[] {
  const sort = parseSort(view.sort);
  const column = (id: string, pinned: boolean): GridColumn => {
    const kind = kindOf(id);
    const show = view.show?.[id];
    const numeric = kind === "metric" || id === "duration";
    return {
      id,
      head:
        id === "select"
          ? "Selected"
          : id === "name"
            ? by.length > 0
              ? "Group"
              : "Run"
            : headOf(id),
      ...(kind === "metric" && show && show !== "last" && { note: show }),
      ...(kind === "parameter" && { note: "param" }),
      ...(kind === "tag" && { note: "tag" }),
      width:
        view.w?.[id] ??
        (narrow && id === "name" ? 200 : widths[id]) ??
        usualWidth(headOf(id), kind, show),
      pinned,
      numeric,
      ...(sort && sort.key === orderKey(id) && { sorted: sort.desc ? "down" : "up" }),
    };
  };
  const pin = (view.pin ?? []).filter((id) => names.includes(id));
  return [
    column("select", true),
    column("name", true),
    ...pin.map((id) => column(id, true)),
    ...names.filter((id) => id !== "name" && !pin.includes(id)).map((id) => column(id, false)),
  ];
}
