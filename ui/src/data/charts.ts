import { keepPreviousData, queryOptions, useQuery } from "@tanstack/react-query";
import { api, ask, type Schemas } from "./client";
import { LIVE_MS, polled } from "./live";

export type ChartLine = Schemas["ChartLine"];

/** Along what a chart is drawn, as the server knows it. */
export type By = "step" | "time";

/** One history, or a part of it: from and to are steps, or times in ms. */
export interface SeriesAsk {
  run: string;
  key: string;
  from?: number;
  to?: number;
}

/** How many buckets each of n lines has at first; more lines have fewer, so that all are drawn at once. */
const bucketsOf = (n: number) => Math.round(Math.max(250, Math.min(1000, 8000 / n)));
/** After how many additions a line is read whole again, for points that came late. */
const ADDITIONS = 100;

interface Drawn {
  lines: ChartLine[];
  additions: number;
}

/**
 * The histories of metrics. While `live`, what is new is asked for again and again: only the
 * tail of a line is read and sent, and nothing of a line that has not changed.
 */
export const chartQuery = ({ project, by, series, live }: Omit<ChartOptions, "enabled">) =>
  queryOptions<Drawn>({
    // What was live is read once more when it has ended: for its last points, and late ones.
    queryKey: ["p", project, "charts", { by, series, live }],
    queryFn: async ({ client, queryKey, signal }) => {
      const buckets = bucketsOf(series.length);
      const read = (asked: (SeriesAsk & { width?: number; seen?: string })[]) =>
        ask(
          api.POST("/api/v1/projects/{project}/charts", {
            params: { path: { project } },
            body: { by, buckets, series: asked },
            signal,
          }),
        ).then((a) => a.series);
      const before = client.getQueryData<Drawn>(queryKey);
      if (before === undefined || before.additions >= ADDITIONS) {
        return { lines: await read([...series]), additions: 0 };
      }
      const tails = await read(series.map((s, i) => tailOf(s, before.lines[i])));
      const lines = tails.map((tail, i) => addTail(before.lines[i], tail, 2 * buckets));
      const whole = series.filter((_, i) => lines[i] === undefined);
      const anew = whole.length > 0 ? await read(whole) : [];
      return {
        lines: lines.flatMap((line) => line ?? anew.shift() ?? []),
        additions: before.additions + 1,
      };
    },
    structuralSharing: false,
    gcTime: 60_000,
  });

export interface ChartOptions {
  project: string;
  by: By;
  series: readonly SeriesAsk[];
  /** A run of them still goes on. */
  live: boolean;
  /** Not while it is out of sight. */
  enabled?: boolean;
}

/** The lines of a chart in the order of their series. */
export function useChart({ enabled = true, ...options }: ChartOptions) {
  return useQuery({
    ...chartQuery(options),
    enabled,
    placeholderData: keepPreviousData,
    refetchInterval: polled(options.live ? LIVE_MS : false),
    select: (drawn: Drawn) => drawn.lines,
  });
}

const along = (line: ChartLine) => (line.by === "time" ? line.ms : line.step);

/** Asks for what comes after a line: its last bucket, and those behind it. */
function tailOf(s: SeriesAsk, line: ChartLine | undefined) {
  const from = line && along(line).at(-1);
  if (line === undefined || from === undefined) return s;
  return { ...s, from, width: line.width, seen: line.seen };
}

/**
 * A line with its tail, whose first bucket replaces the line's last one. Undefined when
 * the line has to be read whole: its buckets do not fit, or are more than most.
 */
export function addTail(
  line: ChartLine | undefined,
  tail: ChartLine,
  most = 2000,
): ChartLine | undefined {
  if (line === undefined || along(line).length === 0) return tail.unchanged ? line : tail;
  if (tail.unchanged) return line;
  if (tail.by !== line.by || tail.width !== line.width || tail.step.length === 0) return undefined;
  const first = along(tail)[0] ?? 0;
  const at = along(line).findIndex((x) => x >= first);
  const kept = at < 0 ? line.step.length : at;
  if (kept + tail.step.length > most) return undefined;
  const lists = <T>(a: readonly T[] | null | undefined, b: readonly T[] | null | undefined) =>
    [...(a ?? []).slice(0, kept), ...(b ?? [])] as T[];
  const counted = (name: "nans" | "highs" | "lows") => {
    if (!line[name] && !tail[name]) return {};
    const zeros = (l: ChartLine) => l[name] ?? l.step.map(() => 0);
    return { [name]: lists(zeros(line), zeros(tail)) };
  };
  const out: ChartLine = {
    ...tail,
    points: 0,
    step: lists(line.step, tail.step),
    ms: lists(line.ms, tail.ms),
    last: lists(line.last, tail.last),
    ...counted("nans"),
    ...counted("highs"),
    ...counted("lows"),
  };
  if (line.count) {
    out.to_step = lists(line.to_step, tail.to_step);
    out.to_ms = lists(line.to_ms, tail.to_ms);
    out.min = lists(line.min, tail.min);
    out.max = lists(line.max, tail.max);
    out.mean = lists(line.mean, tail.mean);
    out.count = lists(line.count, tail.count);
  }
  out.points = out.count ? out.count.reduce((a, b) => a + b, 0) : out.step.length;
  return out;
}
