import type { Decision, Fact, Version } from "../../data/models";
import { UNKNOWN, value } from "../../format/number";
import { utc } from "../../format/time";

/** A fact as people read it. */
export function factText(fact: Fact | undefined): string {
  if (fact === undefined) return UNKNOWN;
  const v = fact.value;
  switch (fact.type) {
    case "double":
      return value(Number(String(v).replace("Inf", "Infinity")));
    case "timestamp":
      return typeof v === "string" ? utc(Date.parse(v)) : UNKNOWN;
    default:
      return String(v);
  }
}

/** A value of any kind that was logged as JSON. */
export function anyText(v: unknown): string {
  return typeof v === "string" ? v : JSON.stringify(v);
}

/** The newest decision about each version; decisions come the newest first. */
export function newestByVersion(decisions: readonly Decision[]): Map<number, Decision> {
  const out = new Map<number, Decision>();
  for (const d of decisions) if (!out.has(d.version)) out.set(d.version, d);
  return out;
}

/** The candidate's metric that the gates ask for most, such as wape. */
export function judgedMetric(decisions: readonly Decision[]): string | undefined {
  const seen = new Map<string, number>();
  for (const d of decisions)
    for (const c of d.checks)
      for (const name of Object.keys(c.values))
        if (name.startsWith("candidate.")) seen.set(name, (seen.get(name) ?? 0) + 1);
  const [first] = [...seen].sort((a, b) => b[1] - a[1]);
  return first?.[0].slice("candidate.".length);
}

/** What a decision has read of a metric, of the candidate or of the live version. */
export function operand(d: Decision | undefined, name: string): number | undefined {
  for (const c of d?.checks ?? []) {
    const fact = c.values[name];
    if (fact?.type === "double") return Number(fact.value);
  }
  return undefined;
}

/** Names with commas between, of many the first two. */
export function few(names: readonly string[]): string {
  if (names.length <= 3) return names.join(", ");
  return `${names.slice(0, 2).join(", ")} and ${names.length - 2} more`;
}

/** The names of the checks of a decision that are red. */
export function failedChecks(d: Decision): string[] {
  return d.checks.filter((c) => c.state === "red").map((c) => c.name);
}

/** Who made a version, and why: "retraining after an incident", "registered by ada". */
export function madeBy(v: Version): string {
  if (v.produced_by.pipeline_run === undefined) return `registered by ${v.user}`;
  switch (v.produced_by.cause) {
    case "incident":
      return "retraining after an incident";
    case "candidate":
      return "pipeline, for a candidate";
    default:
      return "pipeline run";
  }
}

/** "system:job/pipeline" is "job/pipeline": who did something, without what kind they are. */
export function actorName(actor: string): string {
  return actor.replace(/^(user|system|step):/, "");
}
