import { useQuery } from "@tanstack/react-query";
import { Trophy } from "lucide-react";
import { StatusBadge } from "../../components/Badge";
import { DataTable, type Column } from "../../components/DataTable";
import { Lines, Loaded } from "../../components/Loaded";
import { Empty } from "../../components/State";
import { RunLink } from "../../components/links";
import {
  isFinal,
  pipelineTries,
  type PipelineGraph,
  type PipelineRun,
  type PipelineTry,
} from "../../data/pipelines";
import { duration, plural, value, UNKNOWN } from "../../format/number";
import css from "./pipelines.module.css";
import { sentence } from "./steps";
import timeline from "./Timeline.module.css";
import { TryChart } from "./TryChart";

interface TriesProps {
  project: string;
  run: PipelineRun;
  graph: PipelineGraph;
  onPick: (step: string) => void;
}

/** The tries of a search, the best first, and why it stopped. */
export function Tries({ project, run, graph, onPick }: TriesProps) {
  const tries = useQuery(pipelineTries(project, run.id, !isFinal(run.state)));
  return (
    <Loaded
      query={tries}
      skeleton={
        <div className={css.pad}>
          <Lines n={8} height={24} />
        </div>
      }
      isEmpty={(page) => page.items.length === 0}
      empty={<Empty title="No try has begun yet" />}
    >
      {(page) => (
        <>
          <p className={css.stop}>
            <strong>{isFinal(run.state) ? "Why it stopped:" : "When it stops:"}</strong>{" "}
            {isFinal(run.state)
              ? sentence((run.reason ?? UNKNOWN).split("\n")[0] ?? "")
              : stopsWhen(run, graph, page.items)}
          </p>
          {run.goal && page.items.filter((t) => t.value != null).length > 1 && (
            <div className={css.pad}>
              <TryChart tries={page.items} goal={run.goal} winner={run.winner ?? 0} />
            </div>
          )}
          <DataTable
            label="Tries"
            columns={columns(run, graph, page.items, onPick)}
            rows={page.items}
            rowKey={(t) => String(t.n)}
            current={String(run.winner ?? "")}
          />
          {page.next && <p className={css.stop}>These are the best {page.items.length} of them.</p>}
        </>
      )}
    </Loaded>
  );
}

/** What will end a search that goes on. */
function stopsWhen(run: PipelineRun, graph: PipelineGraph, tries: readonly PipelineTry[]): string {
  const goal = run.goal;
  const ends: string[] = [];
  if (goal?.at_least != null) ends.push(`${goal.metric} is at least ${value(goal.at_least)}`);
  if (goal?.at_most != null) ends.push(`${goal.metric} is at most ${value(goal.at_most)}`);
  ends.push(`all ${plural(graph.tries, "try", "tries")} are done`);
  if (goal?.within_seconds) ends.push(`${duration(goal.within_seconds * 1000)} are over`);
  const done = tries.filter((t) => isFinal(t.state)).length;
  return `${done} of ${graph.tries} done. It ends when ${ends.join(", or ")}.`;
}

function columns(
  run: PipelineRun,
  graph: PipelineGraph,
  tries: readonly PipelineTry[],
  onPick: (step: string) => void,
): Column<PipelineTry>[] {
  const goal = run.goal?.metric;
  const others = [...new Set(tries.flatMap((t) => Object.keys(t.metrics)))]
    .filter((name) => name !== goal)
    .sort()
    .slice(0, 6);
  return [
    {
      id: "n",
      head: "Try",
      sort: (t) => t.n,
      cell: (t) => (
        <span className={css.try}>
          <button
            type="button"
            className={timeline.pick}
            onClick={() => onPick(lastStep(graph, t))}
          >
            {t.n}
          </button>
          {t.n === run.winner && (
            <span className={css.winner}>
              <Trophy size={13} aria-hidden /> winner
            </span>
          )}
        </span>
      ),
    },
    {
      id: "state",
      head: "State",
      sort: (t) => t.state,
      cell: (t) => <StatusBadge state={t.state} />,
    },
    ...(goal
      ? [
          {
            id: "goal",
            head: goal,
            numeric: true,
            sort: (t: PipelineTry) => t.value,
            cell: (t: PipelineTry) => <strong>{value(t.value)}</strong>,
          },
        ]
      : []),
    ...graph.over.map((over) => ({
      id: `param ${over.step}.${over.param}`,
      head: `${over.step}.${over.param}`,
      sort: (t: PipelineTry) => text(t.params?.[over.step]?.[over.param]),
      cell: (t: PipelineTry) => <code>{text(t.params?.[over.step]?.[over.param])}</code>,
    })),
    ...others.map((name) => ({
      id: `metric ${name}`,
      head: name,
      numeric: true,
      minor: true,
      sort: (t: PipelineTry) => t.metrics[name],
      cell: (t: PipelineTry) => (name in t.metrics ? value(t.metrics[name] ?? NaN) : UNKNOWN),
    })),
    {
      id: "cached",
      head: "Cached steps",
      minor: true,
      sort: (t) => t.cached,
      numeric: true,
      cell: (t) => `${t.cached} of ${t.steps}`,
    },
    {
      id: "took",
      head: "Took",
      numeric: true,
      sort: took,
      cell: (t) => duration(took(t)),
    },
    {
      id: "run",
      head: "Logged to",
      cell: (t) => <RunLink experiment={run.experiment_id ?? ""} run={t.run_id} />,
    },
  ];
}

/** The step that a try has come to: the one that failed, if one has. */
function lastStep(graph: PipelineGraph, t: PipelineTry): string {
  const steps = graph.nodes.filter((n) => n.part === "try");
  return `${steps[Math.max(0, t.steps - 1)]?.step ?? ""}@${t.n}`;
}

function text(v: unknown): string {
  return typeof v === "string" ? v : (JSON.stringify(v) ?? UNKNOWN);
}

function took(t: PipelineTry): number | undefined {
  if (!t.started_at || !t.finished_at) return undefined;
  return Date.parse(t.finished_at) - Date.parse(t.started_at);
}
