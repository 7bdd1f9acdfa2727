import type { ReactNode } from "react";
import type { Tone } from "../../components/Badge";
import { CaseLink, PipelineLink, RolloutLink, VersionLink } from "../../components/links";
import type { Schemas } from "../../data/client";
import type { Incident } from "../../data/incidents";
import { plain } from "./Loop";
import type { Moment } from "./Story";

export type Event = Schemas["Event"];

/** The fields of an event's body that are texts or numbers, by their names. */
function body(e: Event): { text: (name: string) => string; number: (name: string) => number } {
  const all = typeof e.body === "object" && e.body !== null ? e.body : {};
  const of = (name: string): unknown => (all as Record<string, unknown>)[name];
  return {
    text: (name) => {
      const v = of(name);
      return typeof v === "string" ? v : "";
    },
    number: (name) => {
      const v = of(name);
      return typeof v === "number" ? v : 0;
    },
  };
}

const outcomes: Record<string, Tone> = {
  promoted: "good",
  passed: "good",
  succeeded: "good",
  stopped: "bad",
  failed: "bad",
  rolledback: "bad",
  undecided: "warn",
};

const states: Record<string, string> = {
  waiting: "It waits for the model's active case",
  collecting: "Data is collected",
  training: "The pipeline runs",
  packaging: "The version is packaged",
  gating: "The gate judges it",
  releasing: "It is rolled out",
};

/** Leaves out that a case goes on with its release: the rollout's own events tell that. */
export function withoutEchoes(events: Event[]): Event[] {
  let last = "";
  return events.filter((e) => {
    if (!e.type.startsWith("case.")) return true;
    const state = body(e).text("state");
    const echo = e.type === "case.advanced" && state === last && state === "releasing";
    last = state;
    return !echo;
  });
}

/** What an event of a case or an incident tells. */
export function momentOf(e: Event): Moment {
  const b = body(e);
  const told = tellOf(e, b);
  // What runs on the machine has no time of the stream; its `at` is that of the machine.
  const streams = e.at_ms !== e.time_ms && !e.type.startsWith("pipelinerun.");
  const moment: Moment = { key: e.id, time: e.time_ms, ...told };
  if (streams) moment.at = e.at_ms;
  return moment;
}

type Told = { tone: Tone; title: ReactNode; text?: ReactNode };

function tellOf(e: Event, b: ReturnType<typeof body>): Told {
  const reason = b.text("reason");
  switch (e.type) {
    case "incident.opened":
      return { tone: "warn", title: `The incident opened: ${b.text("kind")}`, text: reason };
    case "incident.resolved":
      return { tone: "good", title: "The incident was resolved", text: reason };
    case "case.opened":
      return {
        tone: "info",
        title: (
          <>
            <CaseLink id={b.text("case")} /> opened: {lower(states[b.text("state")])}
          </>
        ),
        text: reason,
      };
    case "case.advanced":
      return { tone: "info", title: states[b.text("state")] ?? e.text, text: reason };
    case "case.closed":
      return {
        tone: outcomes[b.text("outcome")] ?? "none",
        title: (
          <>
            <CaseLink id={b.text("case")} /> closed: {spelt(b.text("outcome"))}
          </>
        ),
        text: reason,
      };
    case "pipelinerun.started":
      return { tone: "info", title: <PipelineLink id={b.text("pipeline_run")} />, text: "started" };
    case "pipelinerun.finished":
      return {
        tone: outcomes[b.text("state")] ?? "none",
        title: (
          <>
            <PipelineLink id={b.text("pipeline_run")} /> {b.text("state")}
            {b.number("version") > 0 && (
              <>
                {" "}
                with <VersionLink model={b.text("model")} version={b.number("version")} />
              </>
            )}
          </>
        ),
        text: reason,
      };
    case "gate.decided":
      return {
        tone: outcomes[b.text("result")] ?? "none",
        title: (
          <>
            The gate: <VersionLink model={b.text("model")} version={b.number("version")} />{" "}
            {b.text("result")}
          </>
        ),
        text: reason,
      };
    default:
      return rollout(e, b);
  }
}

function rollout(e: Event, b: ReturnType<typeof body>): Told {
  const outcome = b.text("outcome");
  const tone: Tone = outcome
    ? (outcomes[outcome] ?? "none")
    : e.type === "rollout.asked"
      ? "warn"
      : "info";
  const share = `${b.text("strategy")} at ${b.number("percent")} %`;
  const what = {
    "rollout.started": share,
    "rollout.stepped": share,
    "rollout.asked": "waits for a human",
  };
  return {
    tone,
    title: (
      <>
        <RolloutLink id={b.text("rollout")} /> to {b.text("environment")}:{" "}
        {outcome ? spelt(outcome) : (what[e.type as keyof typeof what] ?? e.text)}
      </>
    ),
    text: b.text("reason"),
  };
}

const spelt = (outcome: string) => (outcome === "rolledback" ? "rolled back" : outcome);
const lower = (s = "") => s.charAt(0).toLowerCase() + s.slice(1);

/** What the loop answered, as it reads by itself. */
export function answerText(note: string): string {
  return plain(note).replace(/^is shown; fairlead\.yaml asks/, "shown; fairlead.yaml asks");
}

/** What the loop answered to an incident, among what happened: behind its opening, before the
 * case that an answer opens. */
export function withAnswers(events: Event[], incident: Incident): Moment[] {
  const answers = incident.answers.map((a, i): Moment => {
    const waits = a.note.startsWith("no ") || a.note.startsWith("asks for");
    return {
      key: `answer ${i}`,
      at: Date.parse(a.at),
      tone: waits ? "warn" : "none",
      title: `The loop: ${answerText(a.note)}`,
    };
  });
  const out: Moment[] = [];
  for (const e of events) {
    const m = momentOf(e);
    const due = (a: Moment | undefined) =>
      a?.at !== undefined &&
      m.at !== undefined &&
      (a.at < m.at || (a.at === m.at && e.type !== "incident.opened"));
    while (due(answers[0])) out.push(...answers.splice(0, 1));
    out.push(m);
  }
  return [...out, ...answers];
}
