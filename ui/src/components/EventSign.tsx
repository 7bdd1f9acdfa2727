import {
  Activity,
  Box,
  CircleCheck,
  CircleDot,
  CircleX,
  Database,
  FlaskConical,
  KeyRound,
  RefreshCw,
  Rocket,
  Scale,
  Tag,
  TriangleAlert,
  Workflow,
  type LucideIcon,
} from "lucide-react";
import type { Change } from "../data/live";
import type { Tone } from "./Badge";
import css from "./EventSign.module.css";

const signs: Record<string, LucideIcon> = {
  datasetversion: Database,
  holdout: Database,
  data: Database,
  pipelinerun: Workflow,
  experiment: FlaskConical,
  run: FlaskConical,
  loggedmodel: FlaskConical,
  model: Box,
  modelversion: Box,
  alias: Tag,
  evidence: Scale,
  gate: Scale,
  rollout: Rocket,
  assignment: Rocket,
  labels: Activity,
  window: Activity,
  incident: Activity,
  case: RefreshCw,
  loop: RefreshCw,
  access: KeyRound,
  job: TriangleAlert,
  delivery: TriangleAlert,
};

/** Whether an event is good news or bad. */
function toneOf(e: Change): Tone {
  const body = (e.body ?? {}) as Record<string, unknown>;
  const ends = [body["outcome"], body["result"], body["state"]].find((x) => typeof x === "string");
  switch (e.type) {
    case "incident.opened":
    case "rollout.asked":
      return "warn";
    case "assignment.failed":
    case "delivery.skipped":
    case "job.lost":
      return "bad";
    case "incident.resolved":
      return "good";
  }
  if (ends === "promoted" || ends === "passed" || ends === "green") return "good";
  if (["failed", "stopped", "rolledback", "red", "undecided"].includes(String(ends))) return "bad";
  return "none";
}

/** The sign of an event's kind, in the colour of what it means; its words stand beside it. */
export function EventSign({ event }: { event: Change }) {
  const kind = event.type.split(".")[0] ?? "";
  const tone = toneOf(event);
  const Sign =
    signs[kind] ?? (tone === "good" ? CircleCheck : tone === "bad" ? CircleX : CircleDot);
  return <Sign size={15} aria-hidden className={css.sign} data-tone={tone} />;
}
