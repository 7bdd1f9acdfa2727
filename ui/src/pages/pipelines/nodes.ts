import type { PipelineGraph, PipelineRun, PipelineStep } from "../../data/pipelines";
import { isFinal, REFIT, SHARED } from "../../data/pipelines";
import { count, duration, plural } from "../../format/number";
import { begun } from "./Share";

type GraphStep = PipelineGraph["nodes"][number];
type Counts = NonNullable<PipelineRun["nodes"]>[number];

/** What became of a step of the graph, of all its tries together. */
export interface NodeState {
  id: string;
  name: string;
  state: string;
  /** What stands below the name. */
  told: string;
  /** The outputs that it makes. */
  out: readonly string[];
  /** The step that a click on it shows; none that has begun: undefined. */
  pick: string | undefined;
}

/** Whether a step that has begun is what a node stands for. */
function belongs(node: GraphStep, step: PipelineStep): boolean {
  if (step.name !== node.step) return false;
  if (node.part === "refit") return step.try === REFIT;
  return node.part === "shared" ? step.try === SHARED : step.try > SHARED;
}

/** Tells of each step of the graph what became of it, by the run's own counts. */
export function nodeStates(
  graph: PipelineGraph,
  run: PipelineRun,
  steps: readonly PipelineStep[],
  now: number,
): NodeState[] {
  return graph.nodes.map((node) => {
    const counts = run.nodes?.find((n) => n.node === node.id);
    const some = counts && begun(counts) > 0 ? counts : undefined;
    const mine = steps.filter((s) => belongs(node, s));
    const many = node.part === "try" && graph.tries > 1;
    const waits = isFinal(run.state) ? "not run" : "waiting";
    const telling =
      mine.find((s) => s.state === "failed") ??
      mine.find((s) => s.state === "running") ??
      mine.at(-1);
    const shown = run.winner ?? telling?.try ?? 1;
    return {
      id: node.id,
      name: node.part === "refit" ? `${node.step}, refit` : node.step,
      state: some ? together(some) : waits,
      told: !some ? "has not begun" : many ? ofTries(some) : ofOne(some, mine[0]?.fails, now),
      out: node.out,
      pick: some && (node.part === "try" ? `${node.step}@${shown}` : node.id),
    };
  });
}

/** The state of several tries of a step as one word. */
function together(n: Counts): string {
  if (n.running > 0) return "running";
  if (n.succeeded > 0) return "succeeded";
  if (n.cached > 0) return "cached";
  return n.failed > 0 ? "failed" : "cancelled";
}

function ofOne(n: Counts, fails: number | undefined, now: number): string {
  if (n.cached > 0) return "from the cache";
  const ended = n.running > 0 ? now : Date.parse(n.finished_at ?? "");
  const again = fails && n.failed === 0 ? `, ${plural(fails, "failure")} before` : "";
  return duration(Math.max(0, ended - Date.parse(n.started_at ?? ""))) + again;
}

function ofTries(n: Counts): string {
  const parts = [`${count(begun(n))} of ${plural(n.planned, "try", "tries")}`];
  for (const state of ["cached", "failed"] as const)
    if (n[state] > 0) parts.push(`${count(n[state])} ${state}`);
  return parts.join(", ");
}

/** The edges of the graph, with all that passes between two steps on one. */
export function joinedEdges(graph: PipelineGraph) {
  const found = new Map<string, { from: string; to: string; names: string[]; data: boolean }>();
  for (const e of graph.edges) {
    const from = e.data ? dataId(e.from) : e.from;
    const key = `${from} ${e.to}`;
    const edge = found.get(key) ?? { from, to: e.to, names: [], data: e.data ?? false };
    if (e.name) edge.names.push(e.name);
    found.set(key, edge);
  }
  return [...found.values()];
}

/** The id of an entry of `data` in the graph, which no step has. */
export function dataId(name: string): string {
  return `data/${name}`;
}
