import { Button, Skeleton } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams, useSearch } from "@tanstack/react-router";
import { StatusBadge } from "../../components/Badge";
import { EndpointLink, IncidentLink, VersionLink } from "../../components/links";
import { Loaded } from "../../components/Loaded";
import { Page, Section } from "../../components/Page";
import { Stat, Stats } from "../../components/Stat";
import { Empty } from "../../components/State";
import { Time } from "../../components/Time";
import {
  driftQuery,
  endpointMonitoringQuery,
  performanceQuery,
  type Monitoring,
  type Range,
  type Watched,
} from "../../data/monitoring";
import { duration, percent, plural, value } from "../../format/number";
import { DriftBoard } from "./DriftBoard";
import { PerformanceBoard } from "./PerformanceBoard";
import { useChange } from "./Room";
import { TimeBar } from "./TimeBar";
import type { EndpointSearch } from "./routes";
import css from "./Room.module.css";

const DAY = 86_400_000;
const all = { reach: undefined, from: undefined, to: undefined };

/** The drift and the realised performance of one endpoint over time. */
export function EndpointMonitoring() {
  const { project, model, environment } = useParams({
    from: "/p/$project/monitoring/$model/$environment",
  });
  const search = useSearch({ from: "/p/$project/monitoring/$model/$environment" });
  const endpoint = `${model}@${environment}`;
  const standing = useQuery(endpointMonitoringQuery(project, endpoint));
  return (
    <Page
      title={endpoint}
      crumbs={[
        <Link key="m" to="/p/$project/monitoring" params={{ project }}>
          Monitoring
        </Link>,
      ]}
      badge={standing.data && <Worst of={standing.data} />}
      about={standing.data && <About of={standing.data} />}
      actions={<EndpointLink endpoint={endpoint}>Traffic and rollouts</EndpointLink>}
    >
      <Loaded query={standing} skeleton={<Skeleton height={90} />}>
        {(m) => (
          <>
            <Standing of={m} />
            <Histories key={endpoint} of={m} search={search} />
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Worst({ of }: { of: Monitoring }) {
  if (of.incidents.length > 0)
    return <StatusBadge state="open" label={plural(of.incidents.length, "open incident")} />;
  const states = [of.drift?.newest?.state, of.performance?.newest?.state];
  const state = states.includes("red") ? "red" : states.includes("green") ? "green" : "unknown";
  return <StatusBadge state={state} />;
}

function About({ of }: { of: Monitoring }) {
  return (
    <>
      {of.live > 0 ? (
        <>
          <VersionLink model={of.model} version={of.live} /> is live;{" "}
        </>
      ) : (
        "no version is live; "
      )}
      it is <Time at={of.clock.watermark} clock="stream" /> in event time
      {of.clock.driven && ", driven by a replay"}
    </>
  );
}

function Standing({ of }: { of: Monitoring }) {
  const drift = of.drift?.newest;
  const worst = drift?.features?.[0];
  const perf = of.performance?.newest;
  const next = [of.drift?.next, of.performance?.next]
    .filter((n) => n !== undefined)
    .sort((a, b) => Date.parse(a.judged_at) - Date.parse(b.judged_at))[0];
  return (
    <Section title="Now" about="the newest window of each kind">
      <Stats>
        <Stat
          label="Drift"
          value={worst ? value(worst.psi, 3) : "–"}
          note={
            <>
              {drift && <StatusBadge state={drift.state} />}{" "}
              {worst ? `${worst.name}, limit ${value(worst.limit, 3)}` : (drift?.reason ?? "")}
            </>
          }
        />
        <Stat
          label={`Realised ${perf?.metric ?? of.performance?.metric ?? "performance"}`}
          value={perf && perf.state !== "unknown" ? value(perf.value, 3) : "–"}
          note={
            <>
              {perf && <StatusBadge state={perf.state} />}{" "}
              {perf && (perf.state === "unknown" ? perf.reason : `limit ${value(perf.limit, 3)}`)}
            </>
          }
        />
        <Stat
          label="Labels"
          value={perf ? percent(perf.coverage) : "–"}
          note={
            perf?.lag_ms ? `${duration(perf.lag_ms)} after the request, median` : "of the requests"
          }
        />
        <Stat
          label="Next window"
          value={next ? <Time at={next.judged_at} clock="stream" /> : "–"}
          note="is judged then, in event time"
        />
      </Stats>
      <Rule kind="Drift" of={of.drift} />
      <Rule kind="Realised performance" of={of.performance} />
      {of.incidents.map((i) => (
        <p key={i.id} style={{ margin: "12px 0 0" }}>
          <StatusBadge state="open" label={`${i.kind} since`} />{" "}
          <Time at={i.opened_at} clock="stream" />, then {i.action}:{" "}
          <IncidentLink id={i.id}>{i.reason}</IncidentLink>
        </p>
      ))}
    </Section>
  );
}

/** How windows of a kind are judged, and what follows. */
function Rule({ kind, of }: { kind: string; of: Watched | undefined }) {
  if (!of) return null;
  return (
    <p className={css.note}>
      {kind} is judged in windows of {duration(of.window_ms)}; {of.red} red open an incident, then{" "}
      {of.then}.
    </p>
  );
}

/** Which windows to ask for. */
export function rangeOf(search: EndpointSearch, now: string, stretches: number): Range {
  const out: Range = { stretches };
  const days = { "7d": 7, "30d": 30, "90d": 90, all: 0 }[search.reach ?? "all"];
  if (search.from !== undefined || search.to !== undefined) {
    if (search.from !== undefined) out.from = search.from;
    if (search.to !== undefined) out.to = search.to;
  } else if (days > 0) out.from = new Date(Date.parse(now) - days * DAY).toISOString();
  return out;
}

function Histories({ of, search }: { of: Monitoring; search: EndpointSearch }) {
  const { project } = useParams({ from: "/p/$project" });
  const narrow = useMediaQuery("(max-width: 640px)", false, { getInitialValueInEffect: false });
  const change = useChange<EndpointSearch>();
  const range = rangeOf(search, of.clock.watermark, narrow ? 60 : 400);
  const drift = useQuery(driftQuery(project, of.endpoint, range));
  const performance = useQuery(performanceQuery(project, of.endpoint, range));
  const stretches = [...(drift.data?.stretches ?? []), ...(performance.data?.stretches ?? [])];
  const zoom = (from: number, to: number) => {
    // A window belongs to where it begins: one that is cut comes along.
    const cut = stretches.find((s) => Date.parse(s.from) < from && from < Date.parse(s.to));
    const iso = (ms: number) => new Date(ms).toISOString();
    change({ reach: undefined, from: cut?.from ?? iso(from), to: iso(to) });
  };
  const nothing =
    range.from !== undefined || range.to !== undefined ? (
      <Empty title="No window was judged in this time">
        <Button variant="default" onClick={() => change(all)}>
          Show all windows
        </Button>
      </Empty>
    ) : undefined;
  return (
    <>
      <TimeBar
        from={Math.min(...stretches.map((s) => Date.parse(s.from)))}
        to={Math.max(...stretches.map((s) => Date.parse(s.to)))}
        now={Date.parse(of.clock.watermark)}
        more={Boolean(drift.data?.next ?? performance.data?.next)}
        search={search}
        change={change}
        zoom={zoom}
      />
      <Section
        title="Drift"
        about="how far each input, and the predictions, are from what the version learned from"
      >
        <Loaded
          query={drift}
          skeleton={<Skeleton height={340} />}
          isEmpty={(d) => d.stretches.length === 0}
          empty={
            nothing ??
            (of.drift ? (
              <Empty title="No window is judged yet">
                The first ends at <Time at={of.drift.next?.judged_at} clock="stream" /> in event
                time.
              </Empty>
            ) : (
              <Empty
                title="Drift is not watched"
                command={"monitor:\n  drift: {threshold: 0.2, window: 1d, red: 2 of 3}"}
              >
                Add it to fairlead.yaml, and apply that.
              </Empty>
            ))
          }
        >
          {(d) => <DriftBoard history={d} of={of} search={search} change={change} onZoom={zoom} />}
        </Loaded>
      </Section>
      <Section
        title="Realised performance"
        about="computed from the labels that had arrived when a window was judged"
      >
        <Loaded
          query={performance}
          skeleton={<Skeleton height={300} />}
          isEmpty={(p) => p.stretches.length === 0 && p.pending === undefined}
          empty={
            nothing ??
            (of.performance ? (
              <Empty title="No window is judged yet" command={labelling(project, of.endpoint)}>
                The first is judged at <Time at={of.performance.next?.judged_at} clock="stream" />{" "}
                in event time, on the labels that are there then.
              </Empty>
            ) : (
              <Empty
                title="Performance is not watched"
                command={
                  "monitor:\n  performance: {metric: mae, worse_by: 10%, window: 1d, red: 2 of 3, label_delay: 6h}"
                }
              >
                Add it to fairlead.yaml, and apply that.
              </Empty>
            ))
          }
        >
          {(p) => <PerformanceBoard history={p} of={of} onZoom={zoom} />}
        </Loaded>
      </Section>
    </>
  );
}

/** How labels are sent. */
const labelling = (project: string, endpoint: string) =>
  `curl -X POST ${location.origin}/api/v1/projects/${project}/endpoints/${endpoint}/labels \\
  -H "Content-Type: application/json" \\
  -d '{"labels": [{"request_id": "…", "value": 1}]}'`;
