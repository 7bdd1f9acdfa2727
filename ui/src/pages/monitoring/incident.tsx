import { Skeleton } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams, useSearch } from "@tanstack/react-router";
import { StatusBadge } from "../../components/Badge";
import { Command } from "../../components/Command";
import { CaseLink, EndpointLink, VersionLink } from "../../components/links";
import { Bone, Loaded } from "../../components/Loaded";
import { Columns, Page, Section } from "../../components/Page";
import { Facts } from "../../components/Stat";
import { Time } from "../../components/Time";
import { incidentEventsQuery, incidentQuery, type Incident } from "../../data/incidents";
import {
  driftQuery,
  endpointMonitoringQuery,
  performanceQuery,
  type Monitoring,
  type Range,
} from "../../data/monitoring";
import { duration, value } from "../../format/number";
import { DriftBoard } from "./DriftBoard";
import { PerformanceBoard } from "./PerformanceBoard";
import { useChange } from "./Room";
import type { CellSearch } from "./routes";
import { withAnswers } from "./moments";
import { Story } from "./Story";

/** One incident: what was seen, and what the loop did about it. */
export function IncidentPage() {
  const { project, incident: id } = useParams({ from: "/p/$project/incidents/$incident" });
  const query = useQuery(incidentQuery(project, id));
  const i = query.data;
  return (
    <Page
      title={i ? `${i.kind === "drift" ? "Drift" : "Decay"} of ${i.endpoint}` : "Incident"}
      crumbs={[
        <Link key="m" to="/p/$project/monitoring" params={{ project }}>
          Monitoring
        </Link>,
        <Link key="i" to="/p/$project/incidents" params={{ project }}>
          Incidents
        </Link>,
        <span key="id">{id}</span>,
      ]}
      badge={i && <StatusBadge state={i.resolved_at ? "resolved" : "open"} />}
      about={i?.reason}
    >
      <Loaded query={query} skeleton={<Skeleton height={420} />}>
        {(found) => <Body of={found} />}
      </Loaded>
    </Page>
  );
}

function Body({ of }: { of: Incident }) {
  const { project } = useParams({ from: "/p/$project" });
  const events = useQuery(incidentEventsQuery(project, of.id));
  const standing = useQuery(endpointMonitoringQuery(project, of.endpoint));
  return (
    <>
      <Section
        title="What was seen"
        about={of.kind === "drift" ? "the features that were red" : "the realised metric"}
      >
        <Loaded query={standing} skeleton={<Waiting of={of} />}>
          {(m) => <Seen of={of} at={m} />}
        </Loaded>
      </Section>
      <Columns>
        <Section title="What the loop did" about="event time above, time of the machine below">
          <Loaded query={events} skeleton={<Bone height={300} narrow={500} />}>
            {(e) => <Story label="What the loop did" moments={withAnswers(e.items, of)} />}
          </Loaded>
          {!of.resolved_at && (
            <Command label="command">{`fairlead loop explain ${of.model}`}</Command>
          )}
        </Section>
        <Section title="Facts">
          <Facts items={factsOf(of)} />
        </Section>
      </Columns>
    </>
  );
}

/** Is as high as the windows of its kind, about. */
function Waiting({ of }: { of: Incident }) {
  return of.kind === "drift" ? (
    <Bone height={262} narrow={285} />
  ) : (
    <Bone height={390} narrow={430} />
  );
}

/** The windows around the incident, of its kind. */
function Seen({ of, at }: { of: Incident; at: Monitoring }) {
  const { project } = useParams({ from: "/p/$project" });
  const search = useSearch({ from: "/p/$project/incidents/$incident" });
  const change = useChange<CellSearch>();
  const watched = of.kind === "drift" ? at.drift : at.performance;
  const range = around(of, watched?.window_ms ?? 86_400_000, at.clock.watermark);
  const skeleton = <Waiting of={of} />;
  const drift = useQuery({
    ...driftQuery(project, of.endpoint, range),
    enabled: of.kind === "drift",
  });
  const performance = useQuery({
    ...performanceQuery(project, of.endpoint, range),
    enabled: of.kind === "decay",
  });
  const none = <p>No window of that time is kept.</p>;
  const isEmpty = (h: { stretches: unknown[] }) => h.stretches.length === 0;
  return of.kind === "drift" ? (
    <Loaded query={drift} skeleton={skeleton} isEmpty={isEmpty} empty={none}>
      {(d) => (
        <DriftBoard
          history={{ ...d, features: d.features.filter((f) => f.reds > 0) }}
          of={at}
          search={search}
          change={change}
          incident={of.id}
        />
      )}
    </Loaded>
  ) : (
    <Loaded query={performance} skeleton={skeleton} isEmpty={isEmpty} empty={none}>
      {(p) => <PerformanceBoard history={p} of={at} incident={of.id} />}
    </Loaded>
  );
}

/** The windows from some before the incident to some after its end. */
export function around(of: Incident, windowMS: number, now: string | undefined): Range {
  const opened = Date.parse(of.opened_at);
  const end = of.resolved_at ? Date.parse(of.resolved_at) : Date.parse(now ?? of.opened_at);
  const margin = Math.max(10 * windowMS, (end - opened) / 3);
  return {
    from: new Date(opened - margin).toISOString(),
    to: new Date(end + margin).toISOString(),
    stretches: 400,
  };
}

function factsOf(i: Incident): [string, React.ReactNode][] {
  const lasted = i.resolved_at ? Date.parse(i.resolved_at) - Date.parse(i.opened_at) : null;
  return [
    ["Endpoint", <EndpointLink key="e" endpoint={i.endpoint} room="monitoring" />],
    ["Version", <VersionLink key="v" model={i.model} version={i.version} />],
    ["Value", `${value(i.value, 3)}, limit ${value(i.limit, 3)}`],
    ["Opened", <Time key="o" at={i.opened_at} clock="stream" />],
    [
      "Resolved",
      i.resolved_at ? (
        <>
          <Time at={i.resolved_at} clock="stream" />, {i.resolution}
        </>
      ) : (
        "not yet"
      ),
    ],
    ...(lasted === null ? [] : [["Lasted", duration(lasted)] as [string, string]]),
    ["What follows", i.action],
    [
      "Cases",
      i.cases.length === 0
        ? "none"
        : i.cases.map((c) => (
            <div key={c.id}>
              <CaseLink id={c.id} /> <StatusBadge state={c.outcome ?? c.state} />
            </div>
          )),
    ],
  ];
}
