import { SegmentedControl } from "@mantine/core";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useParams, useSearch } from "@tanstack/react-router";
import { StatusBadge } from "../../components/Badge";
import { Choice } from "../../components/Choice";
import { DataTable, type Column } from "../../components/DataTable";
import { CaseLink, EndpointLink, IncidentLink, VersionLink } from "../../components/links";
import { Lines, Loaded } from "../../components/Loaded";
import { Page, Section } from "../../components/Page";
import { Empty } from "../../components/State";
import { Time } from "../../components/Time";
import { incidentsQuery, type Incident } from "../../data/incidents";
import { monitoringQuery } from "../../data/monitoring";
import { duration, value } from "../../format/number";
import { answerText } from "./moments";
import { RoomTabs, useAll, useChange } from "./Room";
import css from "./Room.module.css";
import boards from "./Boards.module.css";
import type { IncidentsSearch } from "./routes";

/** The incidents of a project, and what the loop did about them. */
export function Incidents() {
  const { project } = useParams({ from: "/p/$project" });
  const search = useSearch({ from: "/p/$project/incidents" });
  const change = useChange<IncidentsSearch>();
  const [query, more] = useAll(useInfiniteQuery(incidentsQuery(project, search)));
  const endpoints = useQuery(monitoringQuery(project)).data?.items ?? [];
  const filtered = Object.keys(search).length > 0;
  return (
    <Page title="Incidents">
      <RoomTabs />
      <div className={css.toolbar}>
        <SegmentedControl
          aria-label="State"
          data={["all", ...states].map((s) => ({ value: s, label: named(s) }))}
          value={search.state ?? "all"}
          onChange={(s) => change({ state: states.find((x) => x === s) })}
        />
        <SegmentedControl
          aria-label="Kind"
          data={["all", ...kinds].map((s) => ({ value: s, label: named(s) }))}
          value={search.kind ?? "all"}
          onChange={(k) => change({ kind: kinds.find((x) => x === k) })}
        />
        {(endpoints.length > 1 || search.endpoint) && (
          <Choice
            aria-label="Endpoint"
            placeholder="All endpoints"
            clearable
            data={endpoints.map((e) => e.endpoint)}
            value={search.endpoint ?? null}
            onChange={(e) => change({ endpoint: e ?? undefined })}
          />
        )}
      </div>
      <Section title="Incidents" about="event time, UTC" flush>
        <Loaded
          query={query}
          skeleton={<Lines n={8} height={24} />}
          isEmpty={(all) => all.length === 0}
          empty={
            filtered ? (
              <Empty title="No incident is like this" />
            ) : (
              <Empty
                title="There has been no incident"
                command={
                  "monitor:\n  drift: {threshold: 0.2, window: 1d, red: 2 of 3}\n  then: {drift: alert, performance: retrain}"
                }
              >
                One opens when several of the newest windows are red, as fairlead.yaml says:
              </Empty>
            )
          }
        >
          {(all) => (
            <>
              <DataTable
                label="All incidents"
                rows={all}
                rowKey={(i) => i.id}
                columns={columns}
                initialSort="-opened"
              />
              {more}
            </>
          )}
        </Loaded>
      </Section>
    </Page>
  );
}

const states = ["open", "resolved"] as const;
const kinds = ["drift", "decay"] as const;

const named = (s: string) => s.charAt(0).toUpperCase() + s.slice(1);

const lastedMS = (i: Incident) =>
  i.resolved_at ? Date.parse(i.resolved_at) - Date.parse(i.opened_at) : null;
const lasted = (i: Incident) => (i.resolved_at ? duration(lastedMS(i)) : "still open");

const columns: Column<Incident>[] = [
  {
    id: "kind",
    head: "Incident",
    cell: (i) => (
      <div className={boards.reason}>
        <IncidentLink id={i.id}>{named(i.kind)}</IncidentLink>{" "}
        <StatusBadge state={i.resolved_at ? "resolved" : "open"} />
        <div className={css.dim}>{i.reason}</div>
        <div className={css.narrow}>
          <Time at={i.opened_at} clock="stream" />, {lasted(i)}
        </div>
      </div>
    ),
    sort: (i) => `${i.resolved_at ? 1 : 0} ${i.kind}`,
  },
  {
    id: "endpoint",
    head: "Endpoint",
    cell: (i) => (
      <>
        <EndpointLink endpoint={i.endpoint} room="monitoring" />
        <div>
          <VersionLink model={i.model} version={i.version} />
        </div>
      </>
    ),
    sort: (i) => `${i.endpoint} ${i.version}`,
    minor: true,
  },
  {
    id: "opened",
    head: "Opened",
    minor: true,
    cell: (i) => <Time at={i.opened_at} clock="stream" />,
    sort: (i) => Date.parse(i.opened_at),
  },
  {
    id: "lasted",
    head: "Lasted",
    numeric: true,
    minor: true,
    cell: lasted,
    sort: lastedMS,
  },
  {
    id: "value",
    head: "Value, limit",
    numeric: true,
    minor: true,
    cell: (i) => `${value(i.value, 3)}, ${value(i.limit, 3)}`,
    sort: (i) => i.value / i.limit,
  },
  { id: "did", head: "What the loop did", cell: (i) => <Did of={i} /> },
];

/** The cases of an incident, or why there is none. */
function Did({ of }: { of: Incident }) {
  if (of.cases.length > 0) {
    return (
      <>
        {of.cases.map((c) => (
          <div key={c.id}>
            <CaseLink id={c.id} /> <StatusBadge state={c.outcome ?? c.state} />
          </div>
        ))}
      </>
    );
  }
  const last = of.answers.at(-1)?.note;
  return <span className={css.dim}>{last ? answerText(last) : "–"}</span>;
}
