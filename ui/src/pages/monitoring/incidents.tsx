import { SegmentedControl } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { StatusBadge } from "../../components/Badge";
import { DataTable, type Column } from "../../components/DataTable";
import { CaseLink, EndpointLink, IncidentLink, VersionLink } from "../../components/links";
import { Lines, Loaded } from "../../components/Loaded";
import { Page, Section } from "../../components/Page";
import { Empty } from "../../components/State";
import { Time } from "../../components/Time";
import { incidentsQuery, type Incident } from "../../data/incidents";
import { duration, value } from "../../format/number";
import { answerText } from "./moments";
import { RoomTabs, useAll } from "./Room";
import css from "./Room.module.css";
import boards from "./Boards.module.css";
import type { IncidentsSearch } from "./routes";

/** The incidents of a project, and what the loop did about them. */
export function Incidents() {
  const { project } = useParams({ from: "/p/$project" });
  const search = useSearch({ from: "/p/$project/incidents" });
  const navigate = useNavigate({ from: "/p/$project/incidents" });
  const [query, more] = useAll(useInfiniteQuery(incidentsQuery(project, search)));
  const choose = (part: Partial<Record<keyof IncidentsSearch, string>>) =>
    void navigate({
      search: (now) => {
        const all = { ...now, ...part };
        return Object.fromEntries(Object.entries(all).filter(([, v]) => v !== "all"));
      },
      replace: true,
    });
  const filtered = search.state !== undefined || search.kind !== undefined;
  return (
    <Page title="Incidents">
      <RoomTabs />
      <div className={css.toolbar}>
        <SegmentedControl
          aria-label="State"
          data={["all", "open", "resolved"].map((s) => ({ value: s, label: named(s) }))}
          value={search.state ?? "all"}
          onChange={(state) => choose({ state })}
        />
        <SegmentedControl
          aria-label="Kind"
          data={["all", "drift", "decay"].map((s) => ({ value: s, label: named(s) }))}
          value={search.kind ?? "all"}
          onChange={(kind) => choose({ kind })}
        />
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

const named = (s: string) => s.charAt(0).toUpperCase() + s.slice(1);

const ended = (i: Incident) => (i.resolved_at ? Date.parse(i.resolved_at) : null);

const columns: Column<Incident>[] = [
  {
    id: "kind",
    head: "Incident",
    cell: (i) => (
      <div className={boards.reason}>
        <IncidentLink id={i.id}>{named(i.kind)}</IncidentLink>{" "}
        <StatusBadge state={i.resolved_at ? "resolved" : "open"} />
        <div className={css.dim}>{i.reason}</div>
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
    cell: (i) => <Time at={i.opened_at} clock="stream" />,
    sort: (i) => Date.parse(i.opened_at),
  },
  {
    id: "lasted",
    head: "Lasted",
    numeric: true,
    cell: (i) => {
      const end = ended(i);
      return end === null ? "still open" : duration(end - Date.parse(i.opened_at));
    },
    sort: (i) => {
      const end = ended(i);
      return end === null ? null : end - Date.parse(i.opened_at);
    },
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
