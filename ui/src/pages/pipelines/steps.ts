import { REFIT, SHARED, type PipelineStep, type PipelineWhy } from "../../data/pipelines";

/** The same for readers. A run with one try has no need to number it. */
export function stepLabel(step: { name: string; try: number }, tries: number): string {
  if (step.try === REFIT) return `${step.name}, refit`;
  return step.try === SHARED || tries <= 1 ? step.name : `${step.name}, try ${step.try}`;
}

/** When a step waited and ran, in milliseconds since 1970; what goes on ends now. */
export interface Span {
  queued: number;
  started: number;
  ended: number;
}

/** Returns when a step waited and ran. */
export function span(step: PipelineStep, now: number): Span {
  const started = Date.parse(step.started_at);
  const queued = step.queued_at ? Math.min(Date.parse(step.queued_at), started) : started;
  const ended = step.finished_at ? Date.parse(step.finished_at) : Math.max(now, started);
  return { queued, started, ended: step.state === "cached" ? started : ended };
}

const parts: Record<string, string> = {
  command: "the command",
  env: "the variable",
  outputs: "the outputs",
  input: "the input",
  param: "the param",
  code: "the code",
  lock: "the Python environment",
  platform: "the platform",
};

/** What part of a cache key is called: the param depth. */
export function partName(change: { part: string; name?: string }): string {
  const what = parts[change.part] ?? change.part;
  return change.name ? `${what} ${change.name}` : what;
}

/** Why a step ran or did not, in a few words. */
export function whyShort(why: PipelineWhy): string {
  if (why.state === "cached") return "Nothing that it depends on is new";
  if (why.reason) return sentence(why.reason);
  if (!why.previous) return "It had never run";
  const names = why.changes.map(partName);
  const [first = "", second = ""] = names;
  const is = why.changes.length === 1 ? "is" : "are";
  if (names.length <= 2)
    return sentence(`${[first, second].filter(Boolean).join(" and ")} ${is} new`);
  return sentence(`${first} and ${names.length - 1} others are new`);
}

/** A text with a capital at its beginning. */
export function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
