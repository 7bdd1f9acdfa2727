import type { PipelineGraph, PipelineRun, PipelineStep } from "../../data/pipelines";
import { isFinal, REFIT, SHARED, stepName } from "../../data/pipelines";
import { duration, plural } from "../../format/number";
import { span } from "./steps";

type GraphStep = PipelineGraph["nodes"][number];

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

/** Tells of each step of the graph what became of it. */
export function nodeStates(
  graph: PipelineGraph,
  run: PipelineRun,
  steps: readonly PipelineStep[],
  now: number,
): NodeState[] {
  return graph.nodes.map((node) => {
    const mine = steps.filter((s) => belongs(node, s));
    const shown =
      mine.find((s) => s.try === run.winner) ??
      mine.find((s) => s.state === "failed") ??
      mine.find((s) => s.state === "running") ??
      mine.at(-1);
    const many = node.part === "try" && graph.tries > 1;
    const waits = isFinal(run.state) ? "not run" : "waiting";
    return {
      id: node.id,
      name: node.part === "refit" ? `${node.step}, refit` : node.step,
      state: shown ? together(mine) : waits,
      told: many ? ofTries(mine, graph.tries) : ofOne(shown, now),
      out: node.out,
      pick: shown && stepName(shown),
    };
  });
}

/** The state of several tries of a step as one word. */
function together(steps: readonly PipelineStep[]): string {
  const states = new Set(steps.map((s) => s.state));
  if (states.has("running")) return "running";
  if (states.has("succeeded")) return "succeeded";
  if (states.has("cached")) return "cached";
  return states.has("failed") ? "failed" : "cancelled";
}

function ofOne(step: PipelineStep | undefined, now: number): string {
  if (!step) return "has not begun";
  if (step.state === "cached") return "from the cache";
  const s = span(step, now);
  const again = step.fails ? `, ${plural(step.fails, "failure")} before` : "";
  return duration(s.ended - s.started) + (step.state === "failed" ? "" : again);
}

function ofTries(steps: readonly PipelineStep[], tries: number): string {
  const count = (state: string) => steps.filter((s) => s.state === state).length;
  const parts = [`${steps.length} of ${plural(tries, "try", "tries")}`];
  for (const state of ["cached", "failed"]) {
    const n = count(state);
    if (n > 0) parts.push(`${n} ${state}`);
  }
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
