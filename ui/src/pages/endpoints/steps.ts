import type { History, Turn } from "../../data/rollouts";
import { asPercent } from "./words";

/** One step of a rollout, with the numbers that it was left on. */
export interface Step {
  name: string;
  state: "passed" | "present" | "ended" | "ahead" | "never";
  /** Stream time. */
  began?: string | undefined;
  /** In stream time, milliseconds. */
  took?: number | undefined;
  /** Labels that came in it. */
  labels?: number | undefined;
  evidence?: Turn["evidence"] | undefined;
  /** Why it was left. */
  why?: string | undefined;
  /** It is no step, but that the rollout ended without its version. */
  end?: boolean;
}

/** The steps of a rollout and its end, from what was kept of its turns. */
export function stepsOf(history: History): Step[] {
  const { rollout: r } = history;
  const shares = r.strategy === "canary" ? history.steps : [0];
  if (r.strategy === "replace") return [ending(history)];
  const steps = shares.map((share, i): Step => {
    const n = i + 1;
    const name = r.strategy === "shadow" ? "Shadow" : asPercent(share);
    if (n > r.step) return { name, state: r.state === "finished" ? "never" : "ahead" };
    const entered = history.turns.find(
      (t) => (t.what === "started" || t.what === "stepped") && t.step === n,
    );
    const left = history.turns.find(
      (t) => (t.what === "stepped" && t.step === n + 1) || (t.what === "finished" && t.step === n),
    );
    const present = n === r.step;
    const from = present ? r.step_at : (entered?.at ?? (n === 1 ? r.started : undefined));
    // A rollout may begin before the stream, at a wall time that compares with nothing.
    const began = left && from && from > left.at ? undefined : from;
    const evidence = left?.evidence ?? (present ? r.evidence : undefined);
    const before = present ? r.step_labels : (entered?.evidence.labels ?? 0);
    const known = left !== undefined || present;
    return {
      name,
      state: !present ? "passed" : stateOf(history),
      began,
      took: left && began ? Date.parse(left.at) - Date.parse(began) : undefined,
      labels: known && evidence && (entered ?? present) ? evidence.labels - before : undefined,
      evidence,
      why: left?.what === "stepped" ? left.reason : undefined,
    };
  });
  return [...steps, ending(history)];
}

function stateOf({ rollout: r }: History): Step["state"] {
  if (r.state !== "finished") return "present";
  return r.outcome === "promoted" ? "passed" : "ended";
}

/** Where a rollout leads: its version is live. */
function ending({ rollout: r }: History): Step {
  if (r.state !== "finished") return { name: "Live", state: "ahead" };
  if (r.outcome === "promoted") {
    return { name: "Live", state: "passed", began: r.ended };
  }
  return {
    name: r.outcome === "aborted" ? "Aborted" : "Rolled back",
    state: "ended",
    began: r.ended,
    end: true,
  };
}

/** How a rollout ended without its version, by whom, and at which step. */
export function endOf({ rollout: r, steps, turns }: History): string {
  const [kind, ...name] = (turns.find((t) => t.what === "finished")?.actor ?? "").split(":");
  const share = r.strategy === "canary" ? steps[r.step - 1] : undefined;
  const at = share === undefined ? "" : ` at ${asPercent(share)}`;
  const by = kind === "" ? "" : kind === "system" ? ", by itself" : `, by ${name.join(":")}`;
  return `${r.outcome === "aborted" ? "Aborted" : "Rolled back"}${at}${by}`;
}
