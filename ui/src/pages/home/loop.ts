import { INIT } from "../../app/FirstRun";
import type { Tone } from "../../components/Badge";
import type { Mark, Overview, Standing } from "../../data/overview";
import { plural } from "../../format/number";
import { day } from "../../format/time";

/** What the station of a mark means to a reader. */
export function toneOf(mark: Mark): Tone {
  if (mark.failing) return "bad";
  if (mark.waits) return "warn";
  switch (mark.station) {
    case "incident":
      return "bad";
    case "live":
    case "watched":
      return "good";
    case "registered":
    case "retired":
      return "none";
    default:
      return "info";
  }
}

export interface Summary {
  head: string;
  lines: string[];
  /** What to do where there is nothing. */
  command?: string;
}

/** The loop in words: of one model what it does, of many how many do what. */
export function summary(o: Overview): Summary {
  const inLoop = o.models.filter((m) => m.marks.some((k) => !beside.includes(k.station)));
  const [only] = inLoop;
  if (only === undefined) {
    return {
      head: o.models.length === 0 ? "No model is here yet" : "No model is in the loop yet",
      lines: [
        o.revision
          ? "In the folder of the project’s fairlead.yaml:"
          : "One file, fairlead.yaml, says a model’s whole life. In the folder of your code:",
      ],
      command: o.revision ? "fairlead check && fairlead run" : INIT,
    };
  }
  return inLoop.length === 1 ? one(only, o) : many(inLoop);
}

const beside = ["registered", "retired"];

function one(m: Standing, o: Overview): Summary {
  const live = m.marks.find((k) => k.link.kind !== "case" && !beside.includes(k.station));
  const turn = m.marks.find((k) => k.link.kind === "case");
  const lines: string[] = [];
  if (turn) lines.push(turn.waits ? `A human is asked: ${turn.text}` : `Now: ${turn.text}`);
  else if (live?.station === "incident" && m.held) lines.push(`Retraining waits: ${m.held}`);
  if (m.paused && m.held) lines.push(m.held);
  if (m.waiting) lines.push(`${plural(m.waiting, "case")} wait for this one`);
  if (m.retrains > 0) lines.push(`The loop has retrained it ${times(m.retrains)} by itself`);
  return {
    head: live ? headOf(m.model, live, o) : `${m.model} is on its way`,
    lines: unique(lines),
  };
}

function headOf(model: string, live: Mark, o: Overview): string {
  const since = live.since ? ` since ${day(Date.parse(live.since))} (event time)` : "";
  const answers = `${model} v${live.version ?? ""} answers${since}`;
  const open = o.endpoints.find((e) => e.endpoint === live.link.id)?.incidents ?? 0;
  return open > 0 ? `${answers}, with ${plural(open, "open incident")}` : answers;
}

function many(models: Standing[]): Summary {
  const count = (stations: string[]) =>
    models.filter((m) => m.marks.some((k) => stations.includes(k.station))).length;
  const answers = count(["live", "watched", "incident"]);
  const made = models.filter((m) => m.marks.some((k) => k.link.kind === "case")).length;
  const troubled = count(["incident"]);
  const lines = [];
  if (made > 0) lines.push(`${made} on the way to a new version`);
  lines.push(troubled > 0 ? `${troubled} with open incidents` : "No incident is open");
  return {
    head: `${plural(models.length, "model")} in the loop, ${answers} of them answer`,
    lines,
  };
}

function times(n: number): string {
  return n === 1 ? "once" : n === 2 ? "twice" : `${n} times`;
}

function unique(lines: string[]): string[] {
  return [...new Set(lines)];
}
