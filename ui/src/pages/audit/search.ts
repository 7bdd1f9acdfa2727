import type { EventFilter } from "../../data/events";

/** What the address of the page says. */
export interface AuditSearch {
  /** The name of one of kinds, or an event's type. */
  kind?: string;
  subject?: string;
  actor?: string;
  /** Days of the clock, UTC: 2026-11-21; until is the last one that is meant. */
  from?: string;
  until?: string;
  clock?: "stream";
  /** The number of the event that is open. */
  seq?: number;
}

const DAY = /^\d{4}-\d{2}-\d{2}$/;

/** Reads the address; what makes no sense is left out. */
export function readSearch(said: Record<string, unknown>): AuditSearch {
  const text = (name: string) => {
    const value = said[name];
    return value === undefined || value === null || value === "" ? undefined : String(value);
  };
  const day = (name: string) => {
    const value = text(name);
    return value !== undefined && DAY.test(value) && !Number.isNaN(Date.parse(value))
      ? value
      : undefined;
  };
  const seq = Number(text("seq"));
  const all: { [K in keyof AuditSearch]: AuditSearch[K] | undefined } = {
    kind: text("kind"),
    subject: text("subject"),
    actor: text("actor"),
    from: day("from"),
    until: day("until"),
    clock: text("clock") === "stream" ? "stream" : undefined,
    seq: Number.isSafeInteger(seq) && seq > 0 ? seq : undefined,
  };
  return Object.fromEntries(Object.entries(all).filter(([, v]) => v !== undefined));
}

/** Types of events that people look for together. */
export const kinds: { name: string; label: string; types: readonly string[] }[] = [
  {
    name: "releases",
    label: "Releases",
    types: [
      "rollout.started",
      "rollout.stepped",
      "rollout.asked",
      "rollout.finished",
      "assignment.changed",
      "assignment.applied",
      "assignment.failed",
    ],
  },
  {
    name: "models",
    label: "Models and gates",
    types: [
      "model.created",
      "model.updated",
      "model.deleted",
      "modelversion.created",
      "modelversion.conditioned",
      "modelversion.tagged",
      "modelversion.retired",
      "modelversion.deleted",
      "alias.moved",
      "evidence.recorded",
      "gate.decided",
    ],
  },
  {
    name: "monitoring",
    label: "Monitoring and incidents",
    types: ["window.closed", "incident.opened", "incident.resolved", "labels.received"],
  },
  {
    name: "loop",
    label: "The loop",
    types: ["case.opened", "case.advanced", "case.closed", "loop.paused"],
  },
  {
    name: "pipelines",
    label: "Pipelines",
    types: ["pipelinerun.started", "pipelinerun.finished"],
  },
  {
    name: "experiments",
    label: "Experiments and runs",
    types: [
      "experiment.created",
      "experiment.updated",
      "experiment.deleted",
      "experiment.restored",
      "run.created",
      "run.finished",
      "run.deleted",
      "run.restored",
      "loggedmodel.created",
      "loggedmodel.finished",
      "loggedmodel.deleted",
      "data.purged",
    ],
  },
  { name: "data", label: "Data", types: ["datasetversion.created", "holdout.read"] },
  {
    name: "project",
    label: "Project and access",
    types: [
      "project.created",
      "project.applied",
      "project.configured",
      "access.changed",
      "webhook.created",
      "webhook.updated",
      "webhook.deleted",
      "webhook.disabled",
    ],
  },
  {
    name: "trouble",
    label: "Trouble",
    types: ["job.lost", "delivery.skipped", "assignment.failed"],
  },
];

const DAY_MS = 86_400_000;

/** What the server is asked for. */
export function filterOf(s: AuditSearch): EventFilter {
  const types = kinds.find((k) => k.name === s.kind)?.types ?? (s.kind ? [s.kind] : undefined);
  const after = (day: string) => new Date(Date.parse(day) + DAY_MS).toISOString();
  return {
    types,
    subject: s.subject,
    actor: s.actor,
    from: s.from && new Date(Date.parse(s.from)).toISOString(),
    until: s.until && after(s.until),
    clock: s.clock,
  };
}
