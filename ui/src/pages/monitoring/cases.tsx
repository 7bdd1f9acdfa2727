import { useParams } from "@tanstack/react-router";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { StatusBadge } from "../../components/Badge";
import { DataTable, type Column } from "../../components/DataTable";
import { CaseLink, IncidentLink, VersionLink } from "../../components/links";
import { Lines, Loaded } from "../../components/Loaded";
import { Page, Section } from "../../components/Page";
import { Empty } from "../../components/State";
import { Time } from "../../components/Time";
import { casesQuery, type Case } from "../../data/cases";
import { monitoringQuery } from "../../data/monitoring";
import { duration } from "../../format/number";
import { Loop } from "./Loop";
import { RoomTabs, useAll } from "./Room";
import boards from "./Boards.module.css";
import css from "./Room.module.css";

/** The turns of the loop, the newest first, and what it does now. */
export function Cases() {
  const { project } = useParams({ from: "/p/$project" });
  const [query, more] = useAll(useInfiniteQuery(casesQuery(project)));
  const endpoints = useQuery(monitoringQuery(project));
  const models = [
    ...new Set([
      ...(endpoints.data?.items.map((m) => m.model) ?? []),
      ...(query.data?.map((c) => c.model) ?? []),
    ]),
  ];
  return (
    <Page title="Cases" about="A case is one turn of the loop for one model.">
      <RoomTabs />
      {models.map((model) => (
        <Loop key={model} model={model} />
      ))}
      <Section title="Cases" about="event time, UTC" flush>
        <Loaded
          query={query}
          skeleton={<Lines n={8} height={24} />}
          isEmpty={(all) => all.length === 0}
          empty={
            <Empty title="There has been no case" command="fairlead run">
              A case is opened by a person, by a version that gets the alias candidate, or by an
              incident.
            </Empty>
          }
        >
          {(all) => (
            <>
              <DataTable label="All cases" rows={all} rowKey={(c) => c.id} columns={columns} />
              {more}
            </>
          )}
        </Loaded>
      </Section>
    </Page>
  );
}

const took = (c: Case) => (c.closed_at ? Date.parse(c.closed_at) - Date.parse(c.opened_at) : null);

const columns: Column<Case>[] = [
  {
    id: "case",
    head: "Case",
    cell: (c) => <CaseLink id={c.id} />,
  },
  {
    id: "outcome",
    head: "State",
    cell: (c) => <StatusBadge state={c.outcome ?? c.state} />,
    sort: (c) => c.outcome ?? c.state,
  },
  {
    id: "version",
    head: "Version",
    cell: (c) =>
      c.version ? <VersionLink model={c.model} version={c.version} /> : <span>{c.model}</span>,
    sort: (c) => c.version ?? null,
  },
  {
    id: "cause",
    head: "Because of",
    cell: (c) =>
      c.incident ? (
        <IncidentLink id={c.incident} />
      ) : (
        <span className={boards.nowrap}>{causes[c.cause] ?? c.cause}</span>
      ),
    sort: (c) => c.cause,
  },
  {
    id: "opened",
    head: "Opened",
    cell: (c) => <Time at={c.opened_at} clock="stream" />,
    sort: (c) => Date.parse(c.opened_at),
  },
  {
    id: "took",
    head: "Took",
    numeric: true,
    minor: true,
    cell: (c) => (took(c) === 0 ? "at once" : duration(took(c))),
    sort: took,
  },
  {
    id: "why",
    head: "Why",
    minor: true,
    cell: (c) => <div className={`${boards.reason} ${css.dim}`}>{c.reason}</div>,
  },
];

const causes: Record<string, string> = { user: "a person", candidate: "a new candidate" };
