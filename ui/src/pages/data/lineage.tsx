import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ArrowRight } from "lucide-react";
import type { ReactNode } from "react";
import { StatusBadge } from "../../components/Badge";
import { DataTable } from "../../components/DataTable";
import { Lines, Loaded } from "../../components/Loaded";
import { Section } from "../../components/Page";
import { Empty } from "../../components/State";
import { Time } from "../../components/Time";
import type { Schemas } from "../../data/client";
import { lineageQuery, type DatasetVersion } from "../../data/datasets";
import { plural } from "../../format/number";
import css from "./data.module.css";
import { nameOf, sourceOf } from "./words";

type Node = Schemas["DatasetNode"];

interface LineageProps {
  project: string;
  version: DatasetVersion;
}

/** What a version was made of, what was made of it, and what used it. */
export function Lineage({ project, version: v }: LineageProps) {
  const lineage = useQuery(lineageQuery(project, v));
  return (
    <Loaded
      query={lineage}
      skeleton={
        <Section title="Versions">
          <Lines n={6} height={26} />
        </Section>
      }
    >
      {(l) => (
        <div className={css.stack}>
          <Section title="Versions" about="from what it was made of to what was made of it">
            <div className={css.flow}>
              <Side title="Made of" none={origin(v)}>
                {l.parents.map((n) => (
                  <NodeBox key={nameOf(n)} project={project} node={n} />
                ))}
              </Side>
              <ArrowRight size={18} aria-hidden />
              <div>
                <h3>This version</h3>
                <div className={css.node} data-here>
                  <strong>{nameOf(v)}</strong>
                  <div className={css.nodeAbout}>
                    {plural(v.rows, "row")}, {sourceOf(v)}
                  </div>
                </div>
              </div>
              <ArrowRight size={18} aria-hidden />
              <Side title="Made of it" none="nothing">
                {l.children.map((n) => (
                  <NodeBox key={nameOf(n)} project={project} node={n} />
                ))}
              </Side>
            </div>
          </Section>
          <Uses project={project} uses={l.uses} />
        </div>
      )}
    </Loaded>
  );
}

function origin(v: DatasetVersion): string {
  if (v.source === "requests") return "what production was asked";
  if (v.commit) return `files of commit ${v.commit.slice(0, 12)}`;
  return sourceOf(v);
}

function Side(props: { title: string; none: string; children: ReactNode[] }) {
  return (
    <div>
      <h3>{props.title}</h3>
      {props.children.length > 0 ? (
        <ul>{props.children}</ul>
      ) : (
        <div className={css.node}>
          <span className={css.nodeAbout}>{props.none}</span>
        </div>
      )}
    </div>
  );
}

function NodeBox({ project, node: n }: { project: string; node: Node }) {
  return (
    <li className={css.node}>
      <Link
        to="/p/$project/data/$dataset/$version"
        params={{ project, dataset: n.dataset, version: String(n.n) }}
        search={{ tab: "lineage" }}
      >
        {nameOf(n)}
      </Link>
      <div className={css.nodeAbout}>
        {plural(n.rows, "row")}, {sourceOf(n)}
      </div>
    </li>
  );
}

function Uses({ project, uses }: { project: string; uses: Schemas["DatasetUse"][] }) {
  return (
    <Section
      title="Used by"
      about="cases and pipeline runs, the newest first, and what came of them"
      flush
    >
      {uses.length === 0 ? (
        <Empty title="No case and no pipeline run has used it">
          What a version was split into is used instead of it: look at what was made of it.
        </Empty>
      ) : (
        <DataTable
          label="Cases and pipeline runs"
          rows={uses}
          rowKey={(u) => `${u.case ?? ""} ${u.run ?? ""} ${u.as}`}
          columns={[
            { id: "as", head: "As", cell: (u) => u.as, sort: (u) => u.as },
            {
              id: "model",
              head: "Model version",
              cell: (u) => <UsedModel project={project} use={u} />,
              sort: (u) => u.version,
            },
            {
              id: "state",
              head: "What came of it",
              cell: (u) => <StatusBadge state={u.state} />,
              sort: (u) => u.state,
            },
            {
              id: "case",
              head: "Case",
              minor: true,
              cell: (u) =>
                u.case ? (
                  <Link to="/p/$project/cases/$case" params={{ project, case: u.case }}>
                    {u.case}
                  </Link>
                ) : (
                  "–"
                ),
            },
            {
              id: "run",
              head: "Pipeline run",
              minor: true,
              cell: (u) =>
                u.run ? (
                  <Link to="/p/$project/pipelines/$run" params={{ project, run: u.run }}>
                    {u.run}
                  </Link>
                ) : (
                  "–"
                ),
            },
            { id: "decision", head: "Decision", minor: true, cell: (u) => <Id id={u.decision} /> },
            {
              id: "at",
              head: "Opened",
              cell: (u) => <Time at={u.at} clock={u.case ? "stream" : "wall"} />,
              sort: (u) => Date.parse(u.at),
            },
          ]}
        />
      )}
    </Section>
  );
}

function UsedModel({ project, use }: { project: string; use: Schemas["DatasetUse"] }) {
  if (!use.version) return <>{use.model}</>;
  return (
    <Link
      to="/p/$project/models/$model/versions/$version"
      params={{ project, model: use.model, version: String(use.version) }}
    >
      {use.model} {use.version}
    </Link>
  );
}

function Id({ id }: { id: string | undefined }) {
  return id ? <code title={id}>{id}</code> : <>–</>;
}
