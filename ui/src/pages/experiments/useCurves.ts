import { useQueries } from "@tanstack/react-query";
import { goesOn, sparklines } from "../../data/runtable";
import type { RunsRow } from "./useRows";
import { keyOf, type RunsView } from "./view";

/** The curves of the runs in sight, of the metrics in sight that are shown so. */
export function useCurves(
  project: string,
  view: RunsView,
  columns: string[],
  sight: readonly [number, number],
  row: (i: number) => Omit<RunsRow, "selected"> | undefined,
): Map<string, (number | null)[]> {
  const keys = columns.filter((m) => view.show?.[m] === "curve").map(keyOf);
  const parts: { runs: string[]; live: boolean }[] = [];
  if (keys.length > 0) {
    // Cut at fixed places, so that a scrolled table asks only for what is new.
    const size = 25;
    for (let from = Math.floor(sight[0] / size) * size; from <= sight[1]; from += size) {
      const runs: string[] = [];
      let live = false;
      for (let i = from; i < from + size; i++) {
        const run = row(i)?.run;
        if (!run) continue;
        runs.push(run.id);
        live ||= goesOn(run.status);
      }
      parts.push({ runs, live });
    }
  }
  return useQueries({
    queries: parts.map((p) => sparklines(project, p.runs, keys.slice(0, 10), p.live)),
    combine: union,
  });
}

function union(results: { data?: Map<string, (number | null)[]> | undefined }[]) {
  return new Map(results.flatMap(({ data }) => [...(data ?? [])]));
}
