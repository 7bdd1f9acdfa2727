import { Skeleton, Tabs } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { StatusBadge } from "../../components/Badge";
import { To } from "../../components/links";
import { Bone, Loaded } from "../../components/Loaded";
import { Page, Section } from "../../components/Page";
import { Empty, Failed, Failure, failureOf } from "../../components/State";
import { Stat, Stats } from "../../components/Stat";
import { Time } from "../../components/Time";
import { Problem } from "../../data/client";
import { endpointQuery, traffic, type Endpoint, type Served } from "../../data/endpoints";
import { historyQuery, rolloutsQuery } from "../../data/rollouts";
import { count, duration, percent, UNKNOWN } from "../../format/number";
import { DecisionBar } from "./DecisionBar";
import { Evidence } from "./Evidence";
import { Failures } from "./Failures";
import { RangePicker } from "./RangePicker";
import { ROLLOUT_ORDER, RolloutTable } from "./RolloutTable";
import { ShareBar } from "./Shares";
import { tabs, type Last, type Tab } from "./search";
import { TrafficCharts } from "./TrafficCharts";
import { TryIt } from "./TryIt";
import { Variants } from "./Variants";
import { modelOf, rate, rolloutName, rolloutState, versionIn } from "./words";
import css from "./endpoint.module.css";

const PATH = "/p/$project/endpoints/$model/$environment";
const DEFAULT_LAST: Last = "24h";
const names: Record<Tab, string> = {
  overview: "Overview",
  rollouts: "Rollouts",
  try: "Try and call",
};

/** One endpoint: who answers and how well, the rollout that is under way, and how to call it. */
export function EndpointPage() {
  const { project, model, environment } = useParams({ from: PATH });
  const search = useSearch({ from: PATH });
  const navigate = useNavigate({ from: PATH });
  const name = `${model}@${environment}`;
  const tab = search.tab ?? "overview";
  const endpoint = useQuery(endpointQuery(project, name));
  const crumbs = [
    <Link key="all" to="/p/$project/endpoints" params={{ project }}>
      Endpoints
    </Link>,
  ];
  if (
    endpoint.data === undefined &&
    endpoint.error instanceof Problem &&
    endpoint.error.status === 404
  ) {
    return (
      <Page title={name} crumbs={crumbs}>
        <Failure error={endpoint.error} />
      </Page>
    );
  }
  return (
    <Page
      title={name}
      crumbs={crumbs}
      badge={endpoint.data && <Loads endpoint={endpoint.data} />}
      about={
        endpoint.data ? (
          <Clock endpoint={endpoint.data} />
        ) : (
          failureOf(endpoint) == null && <Coming />
        )
      }
    >
      <Tabs
        value={tab}
        onChange={(t) => {
          const found = tabs.find((x) => x === t);
          if (found) void navigate({ search: (s) => ({ ...s, tab: found }), replace: true });
        }}
        keepMounted={false}
      >
        <Tabs.List>
          {tabs.map((t) => (
            <Tabs.Tab key={t} value={t}>
              {names[t]}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value="overview" className={css.panel ?? ""}>
          <Failed query={endpoint} />
          {endpoint.data?.failure && (
            <Section title="Not all of it can be served">
              <p className={css.failure}>{endpoint.data.failure}</p>
            </Section>
          )}
          <UnderWay project={project} endpoint={name} />
          <Traffic project={project} endpoint={name} />
        </Tabs.Panel>
        <Tabs.Panel value="rollouts" className={css.panel ?? ""}>
          <AllRollouts project={project} endpoint={name} />
        </Tabs.Panel>
        <Tabs.Panel value="try" className={css.panel ?? ""}>
          <TryIt project={project} endpoint={name} clock={endpoint.data?.clock.mode} />
        </Tabs.Panel>
      </Tabs>
      <DecisionBar project={project} endpoint={name} />
    </Page>
  );
}

/** Whether all that should be served is. */
function Loads({ endpoint }: { endpoint: Endpoint }) {
  if (endpoint.failure) return <StatusBadge state="failing" tone="bad" label="cannot be served" />;
  return endpoint.observed_generation < endpoint.generation ? (
    <StatusBadge state="loading" tone="info" />
  ) : (
    <StatusBadge state="served" tone="good" label="served" />
  );
}

/** Takes the room of the words about the clock. */
function Coming() {
  return (
    <span aria-hidden style={{ visibility: "hidden" }}>
      Stream time 2011-12-28 00:00 UTC, driven by a replay. Holds and looks go by it. Drift and
      error: monitoring.
    </span>
  );
}

/** Which clock the endpoint goes by, and where that stands. */
function Clock({ endpoint }: { endpoint: Endpoint }) {
  const { clock } = endpoint;
  if (Date.parse(clock.watermark) <= 0) return <>Its stream has not begun: no request yet.</>;
  return (
    <>
      Stream time <Time at={clock.watermark} clock="stream" /> UTC
      {clock.driven ? ", driven by a replay" : clock.mode === "wall_time" ? ", as wall time" : ""}.
      Holds and looks go by it. Drift and error:{" "}
      <To path={`monitoring/${endpoint.model}/${endpoint.environment}`}>monitoring</To>.
    </>
  );
}

/** The rollout that is under way, or the newest if it has ended without its version. */
function UnderWay({ project, endpoint }: { project: string; endpoint: string }) {
  const rollouts = useQuery(rolloutsQuery(project, endpoint));
  const newest = rollouts.data?.items[0];
  const now = useQuery(endpointQuery(project, endpoint)).data;
  const live = versionIn(now?.variants, "live");
  const active =
    rollouts.data?.items.find((r) => r.state !== "finished") ??
    (newest?.outcome === "promoted" ? undefined : newest);
  const history = useQuery({
    ...historyQuery(project, active?.id ?? ""),
    enabled: active !== undefined,
  });
  if (failureOf(rollouts) != null) {
    return (
      <Section title="Rollout">
        <Failed query={rollouts} />
      </Section>
    );
  }
  if (!active && newest && now && live && live !== newest.to) {
    return (
      <Section title={`Version ${newest.to} was promoted and taken back`}>
        <p className={css.back}>
          Version {live} is live again: {now.reason}
        </p>
      </Section>
    );
  }
  if (!active) return null;
  const state = rolloutState(active);
  return (
    <Section
      title={rolloutName(active)}
      about={<StatusBadge state={active.state} tone={state.tone} label={state.label} />}
      actions={
        <Link to="/p/$project/rollouts/$rollout" params={{ project, rollout: active.id }}>
          All of this rollout
        </Link>
      }
    >
      <Loaded query={history} skeleton={<Skeleton height={140} />}>
        {(h) => <Evidence history={h} short />}
      </Loaded>
    </Section>
  );
}

function Traffic({ project, endpoint }: { project: string; endpoint: string }) {
  const { last = DEFAULT_LAST, clock } = useSearch({ from: PATH });
  const navigate = useNavigate({ from: PATH });
  const query = useQuery(traffic(project, endpoint, { last, clock }));
  const shown = query.data?.clock === "wall" ? "wall" : "event";
  return (
    <>
      <Section
        title="Traffic"
        about={query.data ? <Stretch served={query.data} /> : "\u00a0"}
        actions={
          <RangePicker
            last={last}
            onLast={(l) => void navigate({ search: (s) => ({ ...s, last: l }), replace: true })}
            clock={clock ?? shown}
            onClock={(c) => void navigate({ search: (s) => ({ ...s, clock: c }), replace: true })}
          />
        }
      >
        <Loaded
          query={query}
          skeleton={<Bone height={303} narrow={899} />}
          isEmpty={(s) => s.newest === undefined}
          empty={
            <Empty title="No request has come yet" command={`fairlead predict ${endpoint}`}>
              <p>Try it above, or call it from your program: see Try and call.</p>
            </Empty>
          }
        >
          {(served) => (
            <div className={css.panel}>
              <Totals served={served} />
              <TrafficCharts served={served} />
            </div>
          )}
        </Loaded>
      </Section>
      {query.data?.failures && (
        <Section title="What went wrong" about="the newest first, in any time; wall time" flush>
          <Failures model={modelOf(endpoint)} failures={query.data.failures} />
        </Section>
      )}
      {query.data && (
        <Section title="Versions" flush>
          <div className={css.shares}>
            <ShareBar variants={query.data.variants} />
          </div>
          <Variants served={query.data} label={`Versions of ${endpoint}`} />
        </Section>
      )}
    </>
  );
}

function Stretch({ served }: { served: Served }) {
  const steps = `in steps of ${duration(served.step_ms)}`;
  if (served.clock === "wall") return `wall time until now, ${steps}`;
  return (
    <>
      <Time at={served.from} clock="stream" /> to <Time at={served.to} clock="stream" /> UTC, event
      time, {steps}
    </>
  );
}

function Totals({ served }: { served: Served }) {
  const t = served.total;
  const length = Date.parse(served.to) - Date.parse(served.from);
  const asked = t.requests + t.errors;
  return (
    <Stats>
      <Stat label="Requests" value={count(t.requests)} note={rate(t.requests, length)} />
      <Stat label="p50" value={ms(t.p50_s)} note="of answers" />
      <Stat label="p99" value={ms(t.p99_s)} note="of answers" />
      <Stat
        label="Errors"
        value={asked > 0 ? percent(t.errors / asked) : UNKNOWN}
        note={`${count(t.errors)} of ${count(asked)}`}
      />
      <Stat label="Failed scores" value={count(t.failed)} note={`of ${count(t.scored)}`} />
      <Stat label="Refused" value={count(t.refused)} note="the caller's fault" />
    </Stats>
  );
}

function ms(s: number | null): string {
  return duration(s === null ? null : s * 1000);
}

function AllRollouts({ project, endpoint }: { project: string; endpoint: string }) {
  const query = useQuery(rolloutsQuery(project, endpoint));
  return (
    <Section title="Rollouts" about={ROLLOUT_ORDER} flush>
      <Loaded
        query={query}
        isEmpty={(page) => page.items.length === 0}
        empty={<Empty title="Nothing was released here yet" command="fairlead release" />}
      >
        {(page) => <RolloutTable project={project} rollouts={page.items} />}
      </Loaded>
    </Section>
  );
}
