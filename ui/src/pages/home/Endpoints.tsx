import { FirstRun } from "../../app/FirstRun";
import { Sparkline } from "../../charts/Sparkline";
import { StatusBadge, type Tone } from "../../components/Badge";
import { DataTable, type Column } from "../../components/DataTable";
import { Section } from "../../components/Page";
import { ThingLink } from "../../components/ThingLink";
import { Time } from "../../components/Time";
import type { EndpointHealth } from "../../data/overview";
import { count, duration, percent, rate, value } from "../../format/number";
import { useFew } from "./few";
import css from "./home.module.css";

const tones: Record<EndpointHealth["health"], Tone> = {
  healthy: "good",
  incident: "warn",
  loading: "info",
  failing: "bad",
  empty: "none",
};

/** Health in the order of what wants to be looked at. */
const order: EndpointHealth["health"][] = ["failing", "incident", "loading", "healthy", "empty"];

/** How many are shown before somebody asks for all. */
const FEW = 8;

/** How each endpoint does, in a line. */
export function Endpoints({ endpoints }: { endpoints: readonly EndpointHealth[] }) {
  const worst = [...endpoints].sort(
    (a, b) =>
      order.indexOf(a.health) - order.indexOf(b.health) || b.traffic.errors - a.traffic.errors,
  );
  const [shown, all] = useFew(worst, FEW, "endpoints");
  return (
    <Section
      title="Endpoints"
      about={endpoints.length > 1 ? "what needs a look first" : undefined}
      flush
    >
      {endpoints.length === 0 ? (
        <FirstRun title="Nothing is served yet">
          A version that passes the gate is released to the environments of fairlead.yaml.
        </FirstRun>
      ) : (
        <DataTable
          label="How each endpoint does"
          columns={columns}
          rows={shown}
          rowKey={(e) => e.endpoint}
        />
      )}
      {all}
    </Section>
  );
}

/** What did not get its answer, of all that asked. */
const failed = ({ requests, errors }: EndpointHealth["traffic"]) =>
  requests + errors === 0 ? null : errors / (requests + errors);

const ms = (s: number | null) => duration(s === null ? null : 1000 * s);

const columns: Column<EndpointHealth>[] = [
  {
    id: "endpoint",
    head: "Endpoint",
    cell: (e) => (
      <>
        <ThingLink thing={{ kind: "endpoint", id: e.endpoint }} className={css.strong}>
          {e.model}@<wbr />
          {e.environment}
        </ThingLink>{" "}
        <StatusBadge
          state={e.health}
          tone={tones[e.health]}
          {...(e.health === "incident" ? { label: "open incident" } : {})}
        />
        <p className={css.text}>{e.failure ?? serves(e)}</p>
      </>
    ),
    sort: (e) => e.endpoint,
  },
  {
    id: "requests",
    head: "Requests",
    cell: (e) => <Asked of={e} />,
    sort: (e) => e.traffic.requests,
  },
  {
    id: "errors",
    head: "Errors",
    numeric: true,
    cell: ({ traffic: t }) =>
      t.errors > 0 ? (
        <span className={css.bad}>
          {count(t.errors)} ({percent(failed(t))})
        </span>
      ) : failed(t) === null ? (
        "–"
      ) : (
        "none"
      ),
    sort: (e) => failed(e.traffic),
  },
  {
    id: "latency",
    head: "p50, p99",
    numeric: true,
    cell: ({ traffic: t }) => (
      <>
        {ms(t.p50_s)}
        <p className={css.text}>{ms(t.p99_s)}</p>
      </>
    ),
    sort: (e) => e.traffic.p99_s,
  },
  { id: "drift", head: "Drift", minor: true, cell: (e) => <Verdict of={e.drift} /> },
  {
    id: "performance",
    head: "Performance",
    minor: true,
    cell: (e) => <Verdict of={e.performance} />,
  },
];

/** How often it was asked of late, and how that went up and down. */
function Asked({ of: { endpoint, traffic: t } }: { of: EndpointHealth }) {
  const length = Date.parse(t.to) - Date.parse(t.from);
  const late = t.clock === "event" ? "day of event time" : "hour";
  return (
    <>
      <span className={css.asked}>
        <Sparkline
          values={t.points}
          width={84}
          height={22}
          label={`Requests to ${endpoint} in the last ${late}: ${count(t.requests)}`}
        />
        <span className={css.verdict}>{rate(t.requests + t.errors, length)}</span>
      </span>
      <p className={css.text}>
        {t.clock === "event" ? (
          <>
            the day to <Time at={t.to} clock="stream" />
          </>
        ) : (
          "the last hour"
        )}
      </p>
    </>
  );
}

function serves(e: EndpointHealth): string {
  const live = e.live ? `Version ${e.live} answers` : "No version answers";
  const r = e.rollout;
  if (!r) return live;
  return r.strategy === "shadow"
    ? `${live}; version ${r.to} scores as a shadow`
    : `${live}; version ${r.to} answers ${value(r.percent)} % as a ${r.strategy}`;
}

function Verdict({ of }: { of: EndpointHealth["drift"] }) {
  if (!of) return <span className={css.dim}>not watched</span>;
  return (
    <span className={css.verdict}>
      <StatusBadge state={of.state} />
      {of.state !== "unknown" && (
        <>
          {" "}
          {value(of.value, 3)} <span className={css.dim}>limit {value(of.limit, 3)}</span>
        </>
      )}
    </span>
  );
}
