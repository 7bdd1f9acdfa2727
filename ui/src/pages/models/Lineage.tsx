import type { ReactNode } from "react";
import { StatusBadge } from "../../components/Badge";
import { DataTable, type Column } from "../../components/DataTable";
import { Time } from "../../components/Time";
import { ThingLink } from "../../components/ThingLink";
import type { Thing } from "../../data/links";
import type { Lineage } from "../../data/models";
import { Card } from "../../graph/Card";
import { GraphFigure } from "../../graph/GraphFigure";
import { plural } from "../../format/number";

type Node = Lineage["nodes"][number];

const kinds: Record<Node["kind"], string> = {
  dataset: "Data",
  pipeline: "Pipeline run",
  run: "Run",
  loggedmodel: "Logged model",
  version: "Version",
  decision: "Gate",
  rollout: "Rollout",
  endpoint: "Endpoint",
};

const weak = ["compared with", "judged on"];

/** How a version came to be and where it went: a graph, with the list behind it. */
export function LineageFigure({ lineage }: { lineage: Lineage }) {
  return (
    <GraphFigure
      title="From data to endpoint"
      describe={`${plural(lineage.nodes.length, "thing")} and what led to what; the list has the same`}
      nodes={lineage.nodes.map((n) => ({
        id: n.id,
        body: <Card kind={kinds[n.kind]} name={<Name node={n} />} note={noted(n)} self={n.self} />,
      }))}
      edges={lineage.edges.map((e) => ({
        from: e.from,
        to: e.to,
        ...(e.label && weak.includes(e.label) ? { dashed: true } : {}),
      }))}
      table={() => <LineageTable lineage={lineage} />}
    />
  );
}

/** What matters of a node beside its name: its state, or how much it has. */
function noted(n: Node): ReactNode {
  if (n.kind === "dataset") return n.rows === undefined ? n.state : plural(n.rows, "row");
  if (!n.state || (n.kind === "version" && n.state === "ready")) return null;
  return (
    <StatusBadge state={n.state} {...(n.kind === "endpoint" ? { tone: "good" as const } : {})} />
  );
}

/** A node by its name, with a link to its page. */
function Name({ node: n }: { node: Node }) {
  if (n.kind === "decision") return <a href={`#${n.key}`}>{short(n.key)}</a>;
  return (
    <ThingLink
      thing={n.self ? undefined : thingOf(n)}
      title={n.reason === undefined ? n.key : `${n.key}: ${n.reason}`}
    >
      {nameOf(n)}
    </ThingLink>
  );
}

function thingOf(n: Node): Thing | undefined {
  switch (n.kind) {
    case "dataset":
      return { kind: "dataset_version", id: `${n.key}/${n.n ?? ""}` };
    case "version":
      return { kind: "version", id: `${n.key}/${n.n ?? ""}` };
    case "run":
      return n.within === undefined ? undefined : { kind: "run", id: `${n.within}/${n.key}` };
    case "pipeline":
      return { kind: "pipeline_run", id: n.key };
    default:
      return { kind: n.kind, id: n.key };
  }
}

function nameOf(n: Node): string {
  switch (n.kind) {
    case "dataset":
    case "version":
      return `${n.key} v${n.n ?? ""}`;
    case "pipeline":
      return short(n.key);
    case "run":
      return runName(n);
    case "rollout":
      return n.name ?? short(n.key);
    case "endpoint":
      return n.key.slice(n.key.lastIndexOf("@") + 1);
    default:
      return n.key;
  }
}

/** The end of an id, which tells it from others of its time. */
function short(id: string): string {
  return id.slice(-8);
}

/** A run's name; runs of pipelines are named "<pipeline run>/<try>". */
function runName(n: Node): string {
  const name = n.name ?? n.key;
  const tried = /^pr_\w+\/(.+)$/.exec(name)?.[1];
  return tried === undefined ? name : `try ${tried}`;
}

function LineageTable({ lineage }: { lineage: Lineage }) {
  const columns: Column<Node>[] = [
    { id: "kind", head: "What", sort: (n) => kinds[n.kind], cell: (n) => kinds[n.kind] },
    { id: "name", head: "Name", sort: (n) => n.key, cell: (n) => <Name node={n} /> },
    { id: "state", head: "State", cell: (n) => noted(n) },
    {
      id: "from",
      head: "Comes from",
      cell: (n) => sources(lineage, n.id).join(", "),
    },
    {
      id: "time",
      head: "Since",
      minor: true,
      sort: (n) => n.time_ms,
      cell: (n) => <Time at={n.time_ms} />,
    },
    {
      id: "at",
      head: "Stream time",
      minor: true,
      sort: (n) => n.at_ms,
      cell: (n) => <Time at={n.at_ms} clock="stream" />,
    },
  ];
  return <DataTable label="Lineage" columns={columns} rows={lineage.nodes} rowKey={(n) => n.id} />;
}

function sources(lineage: Lineage, id: string): string[] {
  return lineage.edges
    .filter((e) => e.to === id)
    .map((e) => {
      const n = lineage.nodes.find((node) => node.id === e.from);
      const name = n
        ? `${kinds[n.kind].toLowerCase()} ${n.n ? `${n.key} ${n.n}` : short(n.key)}`
        : e.from;
      return e.label && weak.includes(e.label) ? `${name} (${e.label})` : name;
    });
}
