import { useParams, useSearch } from "@tanstack/react-router";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { FirstRun } from "../../app/FirstRun";
import { StatusBadge } from "../../components/Badge";
import { Choice } from "../../components/Choice";
import { DataTable, type Column } from "../../components/DataTable";
import { CaseLink, IncidentLink, VersionLink } from "../../components/links";
import { Lines, Loaded } from "../../components/Loaded";
import { Page, Section } from "../../components/Page";
import { Time } from "../../components/Time";
import { casesQuery, type Case } from "../../data/cases";
import { monitoringQuery } from "../../data/monitoring";
import { duration } from "../../format/number";
import { Loop } from "./Loop";
import { RoomTabs, useAll, useChange } from "./Room";
import type { CasesSearch } from "./routes";
import boards from "./Boards.module.css";
import css from "./Room.module.css";

/** Of how many models it is said what the loop does. */
const FEW = 3;

/** The turns of the loop, the newest first, and what it does now. */
export function Cases() {
  const { project } = useParams({ from: "/p/$project" });
  const { model } = useSearch({ from: "/p/$project/cases" });
  const change = useChange<CasesSearch>();
  const [query, more] = useAll(useInfiniteQuery(casesQuery(project, model)));
  const endpoints = useQuery(monitoringQuery(project));
  const found = new Set([
    ...(endpoints.data?.items.map((m) => m.model) ?? []),
    ...(query.data?.map((c) => c.model) ?? []),
  ]);
  const models = [...found].sort();
  const shown = model !== undefined ? [model] : models.length <= FEW ? models : [];
  return (
    <Page title="Cases" about="A case is one turn of the loop for one model.">
      <RoomTabs />
      {(models.length > 1 || model !== undefined) && (
        <div className={css.toolbar}>
          <Choice
            aria-label="Model"
            placeholder="All models"
            clearable
            data={models}
            value={model ?? null}
            onChange={(m) => change({ model: m ?? undefined })}
          />
          {shown.length === 0 && (
            <span className={css.dim}>Choose a model to see what its loop does.</span>
          )}
        </div>
      )}
      {shown.map((m) => (
        <Loop key={m} model={m} />
      ))}
      <Section title="Cases" about="event time, UTC" flush>
        <Loaded
          query={query}
          skeleton={<Lines n={8} height={24} />}
          isEmpty={(all) => all.length === 0}
          empty={
            <FirstRun title="There has been no case">
              A case is opened by a person, by a version that gets the alias candidate, or by an
              incident.
            </FirstRun>
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
    cell: (c) => (
      <>
        <CaseLink id={c.id} />
        <div className={css.narrow}>
          <Time at={c.opened_at} clock="stream" />
          <br />
          <Cause of={c} />
        </div>
      </>
    ),
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
    minor: true,
    cell: (c) => <Cause of={c} />,
    sort: (c) => c.cause,
  },
  {
    id: "opened",
    head: "Opened",
    minor: true,
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

function Cause({ of: c }: { of: Case }) {
  if (c.incident) return <IncidentLink id={c.incident} />;
  return <span className={boards.nowrap}>{causes[c.cause] ?? c.cause}</span>;
}

const causes: Record<string, string> = { user: "a person", candidate: "a new candidate" };
