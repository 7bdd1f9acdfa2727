import { useQuery } from "@tanstack/react-query";
import { useMemo, type ReactNode } from "react";
import { StatusBadge } from "../../components/Badge";
import { DataTable } from "../../components/DataTable";
import { To } from "../../components/links";
import { Section } from "../../components/Page";
import { Empty } from "../../components/State";
import { pipelineRun, type PipelineRun } from "../../data/pipelines";
import type { TrackedRun } from "../../data/run";
import { count, plural } from "../../format/number";
import { Card } from "../../graph/Card";
import { GraphFigure } from "../../graph/GraphFigure";

interface Node {
  id: string;
  kind: string;
  name: ReactNode;
  note?: ReactNode;
  /** The node that it comes from; what a run read has none. */
  from?: string;
}

/** How many things of a kind are drawn; the rest are counted. */
const DRAWN = 10;

/** What a run read, and what became of it: from data over the run to models and versions. */
export function Lineage({ project, run }: { project: string; run: TrackedRun }) {
  const id = run.tags["fairlead.pipeline_run"];
  const { data: pipeline } = useQuery({
    ...pipelineRun(project, id ?? ""),
    enabled: id !== undefined,
  });
  const { all, nodes, edges } = useMemo(() => lineageOf(run, id, pipeline), [run, id, pipeline]);
  if (all.length === 1) {
    return (
      <Section title="Lineage">
        <Empty title="It noted neither what it read nor what it made">
          MLflow’s client does so with <code>mlflow.log_input</code> and{" "}
          <code>mlflow.sklearn.log_model</code>.
        </Empty>
      </Section>
    );
  }
  return (
    <Section title="Lineage">
      <GraphFigure
        title="What it read, and what became of it"
        describe={`${plural(all.length, "thing")} and what led to what; the list has the same`}
        nodes={nodes}
        edges={edges}
        table={() => (
          <DataTable
            label="Lineage"
            rows={all}
            rowKey={(n) => n.id}
            columns={[
              { id: "kind", head: "What", sort: (n) => n.kind, cell: (n) => n.kind },
              { id: "name", head: "Name", cell: (n) => n.name },
              { id: "note", head: "State", cell: (n) => n.note },
            ]}
          />
        )}
      />
    </Section>
  );
}

function lineageOf(run: TrackedRun, id: string | undefined, pipeline: PipelineRun | undefined) {
  const read: Node[] = [
    ...Object.entries(pipeline?.inputs ?? {}).map(([name, ref]) => ({
      id: `input ${name}`,
      kind: "Data",
      name: (
        <To path={`data/${encodeURIComponent(ref.dataset)}/${ref.n}`}>
          {`${ref.dataset} v${ref.n}`}
        </To>
      ),
    })),
    ...run.datasets.map((d) => ({
      id: `dataset ${d.name} ${d.digest}`,
      kind: `Data${d.tags["mlflow.data.context"] ? `, ${d.tags["mlflow.data.context"]}` : ""}`,
      name: <span title={`${d.name} ${d.digest} ${sourceOf(d.source)}`}>{d.name}</span>,
      note: sizeOf(d.profile, d.schema) || d.digest,
    })),
    ...run.model_inputs.map((m) => ({
      id: m.id,
      kind: "Logged model",
      name: <span title={m.id}>{m.name ?? m.id}</span>,
    })),
  ];
  const maker: Node[] = id
    ? [
        {
          id: `pipeline ${id}`,
          kind: "Pipeline run",
          name: <To path={`pipelines/${encodeURIComponent(id)}`}>{id.slice(-8)}</To>,
          note: pipeline && <StatusBadge state={pipeline.state} />,
        },
      ]
    : [];
  const self: Node = {
    id: run.id,
    kind: "Run",
    name: <span title={run.name}>{run.name.replace(/^pr_\w+\//, "try ") || run.id}</span>,
    note: <StatusBadge state={run.status} />,
    ...(maker[0] ? { from: maker[0].id } : {}),
  };
  const made: Node[] = run.model_outputs.map((m) => ({
    id: m.id,
    kind: "Logged model",
    name: <span title={m.id}>{m.name ?? `${m.id} (deleted)`}</span>,
    note: m.status && <StatusBadge state={m.status} />,
    from: run.id,
  }));
  const registered: Node[] = run.versions.map((v) => ({
    id: `version ${v.model} ${v.n}`,
    kind: "Version",
    name: (
      <To path={`models/${encodeURIComponent(v.model)}/versions/${v.n}`}>{`${v.model} v${v.n}`}</To>
    ),
    note: v.aliases.join(", "),
    from: made.length === 1 && made[0] ? made[0].id : run.id,
  }));
  const into = maker[0]?.id ?? run.id;
  const drawn = [...few(read), ...maker, self, ...few(made), ...few(registered)];
  return {
    all: [...read, ...maker, self, ...made, ...registered],
    nodes: drawn.map((n) => ({
      id: n.id,
      body: <Card kind={n.kind} name={n.name} note={n.note} self={n === self} />,
    })),
    edges: drawn.flatMap((n) =>
      n.from ? { from: n.from, to: n.id } : n.id === into ? [] : { from: n.id, to: into },
    ),
  };
}

/** The first of many things, and one that says how many more there are. */
function few(all: readonly Node[]): Node[] {
  const [first] = all;
  if (!first || all.length <= DRAWN) return [...all];
  const more = { ...first, id: `more than ${first.id}`, note: "the list has all" };
  return [...all.slice(0, DRAWN), { ...more, name: `and ${count(all.length - DRAWN)} more` }];
}

function fieldsOf(json: string | undefined): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(json ?? "");
    return typeof parsed === "object" && parsed !== null ? { ...parsed } : {};
  } catch {
    return {};
  }
}

/** Where a dataset lies, as its client noted it. */
export function sourceOf(source: string): string {
  const { uri, path, url } = fieldsOf(source);
  const said = [uri, path, url].find((v) => typeof v === "string");
  return typeof said === "string" ? said : source.startsWith("{") ? "" : source;
}

/** How large a dataset is, as its client noted it. */
function sizeOf(profile: string | undefined, schema: string | undefined): string {
  const rows = fieldsOf(profile)["num_rows"];
  const columns = fieldsOf(schema)["mlflow_colspec"];
  return [
    ...(typeof rows === "number" ? [`${count(rows)} rows`] : []),
    ...(Array.isArray(columns) ? [plural(columns.length, "column")] : []),
  ].join(", ");
}
