import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { Spans, Versions, type Reign, type Span } from "../../charts/Board";
import type { TimeFrame } from "../../charts/timeframe";
import { To } from "../../components/links";
import type { Tone } from "../../components/Badge";
import { rolloutsQuery } from "../../data/rollouts";
import { incidentsQuery } from "../../data/incidents";
import type { Monitoring, Stretch } from "../../data/monitoring";
import { given } from "./routes";

/** Which version was live when. */
export function reignsOf(stretches: Stretch[]): Reign[] {
  const out: Reign[] = [];
  for (const s of stretches) {
    const last = out.at(-1);
    const [from, to] = [Date.parse(s.from), Date.parse(s.to)];
    if (last?.version === s.worst.version) last.to = to;
    else out.push({ from, to, version: s.worst.version });
  }
  return out;
}

/** The times of a board: of the windows, and on to now where that is not far. */
export function extent(stretches: Stretch[], end?: string): { from: number; to: number } {
  const from = Date.parse(stretches[0]?.from ?? end ?? "");
  const last = Date.parse(stretches.at(-1)?.to ?? end ?? "");
  return { from, to: Math.max(last, end === undefined ? last : Date.parse(end), from + 3_600_000) };
}

const outcomes: Record<string, Tone> = { promoted: "good", rolledback: "bad", aborted: "none" };

const marks: Record<string, string> = { promoted: "✓", rolledback: "✕", aborted: "–" };

interface LanesProps {
  frame: TimeFrame;
  stretches: Stretch[];
  of: Monitoring;
  kind: "drift" | "decay";
  /** The incident whose page this is. */
  current?: string | undefined;
}

/** What happened beside the windows: versions, rollouts and incidents of one kind. */
export function Lanes({ frame, stretches, of, kind, current }: LanesProps) {
  const { project } = useParams({ from: "/p/$project" });
  const [from, to] = [frame.from, frame.to].map((ms) => new Date(ms).toISOString());
  const incidents = useInfiniteQuery({
    ...incidentsQuery(project, given({ endpoint: of.endpoint, kind, from, to })),
    placeholderData: keepPreviousData,
  });
  const rollouts = useQuery(rolloutsQuery(project, of.endpoint));
  const now = Date.parse(of.clock.watermark);
  const within = (s: Span) => s.to >= frame.from && s.from <= frame.to;
  const troubles: Span[] = (incidents.data?.pages[0]?.items ?? []).map((i) => ({
    key: i.id,
    from: Date.parse(i.opened_at),
    to: i.resolved_at ? Date.parse(i.resolved_at) : Math.max(now, frame.to),
    label: `${i.id === current ? "this incident" : i.kind}${i.resolved_at ? "" : ", open"}`,
    short: i.resolved_at ? "" : "open",
    sign: i.resolved_at ? "" : "!",
    tone: i.id === current ? "info" : i.resolved_at ? "none" : "warn",
    link: (props) => <To path={`incidents/${i.id}`} {...props} />,
  }));
  const releases: Span[] = (rollouts.data?.items ?? []).map((r) => ({
    key: r.id,
    from: Date.parse(r.started),
    to: r.ended ? Date.parse(r.ended) : Math.max(now, frame.to),
    label: `v${r.to} ${r.outcome === "rolledback" ? "rolled back" : (r.outcome ?? r.strategy)}`,
    short: `v${r.to}`,
    sign: marks[r.outcome ?? ""] ?? "…",
    tone: r.outcome ? (outcomes[r.outcome] ?? "none") : "info",
    link: (props) => <To path={`rollouts/${r.id}`} {...props} />,
  }));
  return (
    <>
      <Versions frame={frame} reigns={reignsOf(stretches)} />
      <Spans frame={frame} label="rollouts" spans={releases.filter(within)} />
      <Spans frame={frame} label="incidents" spans={troubles.filter(within)} />
    </>
  );
}
