import { Database, Package } from "lucide-react";
import { StatusBadge } from "../../components/Badge";
import { DataTable } from "../../components/DataTable";
import { DatasetLink, VersionLink } from "../../components/links";
import type { PipelineGraph, PipelineRun, PipelineStep } from "../../data/pipelines";
import { plural } from "../../format/number";
import { GraphFigure } from "../../graph/GraphFigure";
import { dataId, joinedEdges, nodeStates, type NodeState } from "./nodes";
import css from "./StepGraph.module.css";

interface StepGraphProps {
  run: PipelineRun;
  graph: PipelineGraph;
  steps: readonly PipelineStep[];
  now: number;
  current: string | undefined;
  onPick: (step: string) => void;
}

const VERSION = "version";

/** The steps of a run and what passes between them, from the data to the version. */
export function StepGraph({ run, graph, steps, now, current, onPick }: StepGraphProps) {
  const states = nodeStates(graph, run, steps, now);
  const edges = joinedEdges(graph);
  const maker = graph.nodes.findLast(
    (n) => graph.model !== undefined && n.out.includes(graph.model),
  );
  const body = (s: NodeState) => (
    <StepBox state={s} current={s.pick !== undefined && same(s.pick, current)} onPick={onPick} />
  );
  return (
    <GraphFigure
      title="From the data to the version"
      describe={`${plural(graph.nodes.length, "step")}, from ${plural(graph.data.length, "dataset")}`}
      nodes={[
        ...graph.data.map((d) => ({
          id: dataId(d.name),
          width: 150,
          height: 52,
          body: <DataBox name={d.name} dataset={d.ref.dataset} n={d.ref.n} />,
        })),
        ...states.map((s) => ({ id: s.id, width: 230, height: 76, body: body(s) })),
        ...(maker
          ? [
              {
                id: VERSION,
                width: 150,
                height: 52,
                body: <VersionBox run={run} />,
              },
            ]
          : []),
      ]}
      edges={[
        ...edges.map((e) => ({
          from: e.from,
          to: e.to,
          dashed: e.names.length === 0,
        })),
        ...(maker ? [{ from: maker.id, to: VERSION }] : []),
      ]}
      table={() => (
        <DataTable
          label="Steps of the graph"
          rows={states}
          rowKey={(s) => s.id}
          columns={[
            { id: "name", head: "Step", cell: (s) => s.name },
            { id: "state", head: "State", cell: (s) => <StatusBadge state={s.state} /> },
            { id: "told", head: "How it went", cell: (s) => s.told },
            {
              id: "after",
              head: "After",
              cell: (s) =>
                edges
                  .filter((e) => e.to === s.id)
                  .map((e) => e.from.replace("data/", ""))
                  .join(", "),
            },
            { id: "out", head: "Makes", cell: (s) => s.out.join(", ") },
          ]}
        />
      )}
    />
  );
}

/** Whether two names are those of the same step of whichever try. */
function same(a: string, b: string | undefined): boolean {
  const part = (name: string) => name.replace(/@\d+$/, "");
  return b !== undefined && part(a) === part(b);
}

interface StepBoxProps {
  state: NodeState;
  current: boolean;
  onPick: (step: string) => void;
}

function StepBox({ state, current, onPick }: StepBoxProps) {
  const { pick } = state;
  const inside = (
    <>
      <span className={css.head}>
        <span className={css.name}>{state.name}</span>
        <StatusBadge state={state.state} />
      </span>
      <span className={css.told}>{state.told}</span>
      {state.out.length > 0 && (
        <span className={css.out} title={`It makes ${state.out.join(", ")}`}>
          makes {state.out.join(", ")}
        </span>
      )}
    </>
  );
  if (pick === undefined) return <div className={`${css.box} ${css.idle}`}>{inside}</div>;
  return (
    <button
      type="button"
      className={`${css.box} ${css.step} ${css[state.state] ?? ""}`}
      aria-pressed={current}
      onClick={() => onPick(pick)}
    >
      {inside}
    </button>
  );
}

function DataBox({ name, dataset, n }: { name: string; dataset: string; n: number }) {
  return (
    <div className={`${css.box} ${css.end}`}>
      <span className={css.name}>
        <Database size={13} aria-hidden /> {name}
      </span>
      <DatasetLink dataset={dataset} n={n} className={css.told ?? ""}>
        version {n}
      </DatasetLink>
    </div>
  );
}

function VersionBox({ run }: { run: PipelineRun }) {
  return (
    <div className={`${css.box} ${css.end}`}>
      <span className={css.name}>
        <Package size={13} aria-hidden /> {run.model}
      </span>
      {run.version ? (
        <VersionLink model={run.model} version={run.version} className={css.told ?? ""} />
      ) : (
        <span className={css.told}>no version</span>
      )}
    </div>
  );
}
