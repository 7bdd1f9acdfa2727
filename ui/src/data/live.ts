import { useQueryClient, type QueryClient } from "@tanstack/react-query";
import { useEffect, useEffectEvent, useSyncExternalStore } from "react";
import type { Schemas } from "./client";

/** An entry of the ledger, as the stream and the list of events tell it. */
export type Change = Schemas["Event"];

/** How the page hears of changes: it does, it begins or tries to again, or nobody can see it. */
export type Hearing = "live" | "connecting" | "reconnecting" | "asleep";

/**
 * How often what makes no event, such as points and lines of logs, is asked for while it
 * goes on, in ms: what is new is in sight within a second, the answer's time included.
 */
export const LIVE_MS = 600;

/** Asks so often, in ms, for what has come once: why it never did stands until it is tried. */
export const polled =
  (ms: number | false) =>
  ({ state }: { state: { data: unknown } }) =>
    state.data === undefined ? false : ms;

// Times are in milliseconds.
const FIRST_RETRY = 1000;
const LAST_RETRY = 10_000;
const SILENCE = 40_000; // the server tells its position each 15 s
const SLEEP_AFTER = 30_000; // hidden; browsers allow six connections for all tabs together
const GATHER = 250; // events that come together renew what they touch once
const PAUSE = LIVE_MS; // and not more often than this
const PATIENCE = 10_000; // for an answer, before it is asked for anew

/**
 * What an event makes out of date, by its type or the first part of it: the names that stand
 * third in query keys (["p", project, name, …]).
 */
const touched: Record<string, readonly string[]> = {
  project: ["project", "settings", "environments", "models", "endpoints", "monitoring"],
  datasetversion: ["datasets"],
  holdout: ["datasets"],
  pipelinerun: ["pipelines", "pipeline-runs", "models"],
  experiment: ["experiments", "experiment", "runs"],
  run: ["runs", "experiments", "experiment", "run-columns", "sparklines"],
  loggedmodel: ["runs", "models"],
  model: ["models"],
  modelversion: ["models"],
  alias: ["models", "endpoints"],
  evidence: ["decisions", "rollouts", "models"],
  gate: ["decisions", "models", "cases"],
  rollout: ["rollouts", "endpoints", "environments", "models"],
  assignment: ["endpoints", "environments"],
  labels: ["endpoints", "monitoring"],
  window: ["monitoring", "endpoints"],
  incident: ["incidents", "monitoring", "endpoints", "cases", "loop"],
  case: ["cases", "loop", "incidents", "models", "pipelines", "pipeline-runs"],
  loop: ["cases", "loop", "models"],
  job: ["pipelines", "pipeline-runs"],
  access: ["permissions"],
  data: ["experiments", "experiment", "runs", "run-table"],
  // A table of runs stays as it is when runs come, and says how many.
  "run.deleted": ["run-table"],
  "run.restored": ["run-table"],
  "experiment.deleted": ["run-table"],
  "experiment.restored": ["run-table"],
};

/** What every event makes out of date: what looks at the whole project. */
const always = ["events", "overview", "phases"];

/** The names of what an event makes out of date; see touched. */
export function outdated(type: string): readonly string[] {
  return [...always, ...(touched[type.split(".")[0] ?? ""] ?? []), ...(touched[type] ?? [])];
}

/** The one stream of a project's events that the pages of a tab share. */
class Line {
  private source: EventSource | undefined;
  private after: number | undefined;
  private retry = FIRST_RETRY;
  private failures = 0; // in a row
  private again: ReturnType<typeof setTimeout> | undefined;
  private silence: ReturnType<typeof setTimeout> | undefined;
  private sleep: ReturnType<typeof setTimeout> | undefined;
  private renewal: ReturnType<typeof setTimeout> | undefined;
  private renewed = 0;
  private ended = false;
  private readonly stale = new Set<string>();
  /** What is being renewed, and what rests after that for as long as it took. */
  private readonly busy = new Set<string>();

  constructor(
    private readonly project: string,
    private readonly queries: QueryClient,
  ) {
    document.addEventListener("visibilitychange", this.seen);
    answered = () => {
      if (this.failures > 0 && !this.source) this.open();
    };
    if (document.hidden) hear("asleep");
    else this.open();
  }

  end(): void {
    document.removeEventListener("visibilitychange", this.seen);
    answered = undefined;
    this.close();
    this.ended = true;
    for (const timer of [this.sleep, this.renewal]) clearTimeout(timer);
  }

  private readonly seen = () => {
    clearTimeout(this.sleep);
    if (!document.hidden) {
      if (!this.source) this.open();
      return;
    }
    this.sleep = setTimeout(() => {
      this.close();
      hear("asleep");
    }, SLEEP_AFTER);
  };

  private open(): void {
    clearTimeout(this.again);
    hear(this.failures > 0 ? "reconnecting" : "connecting");
    const from = this.after === undefined ? "" : `?after=${this.after}`;
    const source = new EventSource(
      `/api/v1/projects/${encodeURIComponent(this.project)}/events/stream${from}`,
    );
    this.source = source;
    source.onmessage = (m: MessageEvent<string>) => {
      this.heard(m);
      this.tell(m.data);
    };
    source.addEventListener("position", (m) => this.heard(m));
    source.addEventListener("reset", (m) => {
      this.heard(m);
      this.touch([EVERYTHING]);
    });
    source.onerror = () => this.lost();
    this.listen();
  }

  private close(): void {
    this.source?.close();
    this.source = undefined;
    clearTimeout(this.again);
    clearTimeout(this.silence);
  }

  /** The server has said something: the line stands. */
  private heard(m: MessageEvent): void {
    const seq = Number(m.lastEventId);
    if (seq > 0) this.after = seq;
    this.retry = FIRST_RETRY;
    if (this.failures > 0) this.back();
    hear("live");
    this.listen();
  }

  /** After the server was away: what could not be loaded is, and what makes no event too. */
  private back(): void {
    const away = this.failures > 1;
    this.failures = 0;
    void this.queries.invalidateQueries({
      queryKey: ["p", this.project],
      predicate: ({ state }) => away || state.status === "error" || state.fetchFailureCount > 0,
    });
  }

  private listen(): void {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.lost(SILENCE), SILENCE);
  }

  /** The line has broken off, so many milliseconds ago. */
  private lost(ago = 0): void {
    this.close();
    this.failures++;
    hear("reconnecting", Date.now() - ago);
    // Tabs that have lost the same server come back one after the other.
    this.again = setTimeout(() => this.open(), this.retry * (0.75 + Math.random() / 2));
    this.retry = Math.min(this.retry * 2, LAST_RETRY);
  }

  private tell(text: string): void {
    const e = parse(text);
    if (!e) return;
    this.touch(outdated(e.type));
    for (const listener of listeners) listener(e);
  }

  /** Renews these names soon, together with others. */
  private touch(names: readonly string[]): void {
    for (const name of names) this.stale.add(name);
    const wait = Math.max(GATHER, this.renewed + PAUSE - Date.now());
    this.renewal ??= setTimeout(() => this.renew(), wait);
  }

  /**
   * Renews what is stale, but what is still being asked for: a server that cannot follow is
   * asked as often as it answers, and no answer is thrown away for the next question.
   */
  private renew(): void {
    this.renewal = undefined;
    const began = (this.renewed = Date.now());
    for (const name of [...this.stale]) {
      if (this.busy.has(name)) continue;
      this.stale.delete(name);
      this.busy.add(name);
      const queryKey = ["p", this.project, ...(name === EVERYTHING ? [] : [name])];
      void Promise.race([this.queries.invalidateQueries({ queryKey }), after(PATIENCE)])
        .then(() => after(Math.min(Date.now() - began, PATIENCE)))
        .then(() => {
          this.busy.delete(name);
          if (this.stale.has(name) && !this.ended) this.touch([]);
        });
    }
  }
}

/** Stands for all names. */
const EVERYTHING = "";

const after = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));

function parse(text: string): Change | undefined {
  try {
    const e = JSON.parse(text) as Partial<Change> | null;
    return typeof e?.seq === "number" && typeof e.type === "string" ? (e as Change) : undefined;
  } catch {
    return undefined;
  }
}

const listeners = new Set<(e: Change) => void>();
const watchers = new Set<() => void>();
let hearing: Hearing = "connecting";
let since = 0; // it has been so, in milliseconds of wall time
let answered: (() => void) | undefined;

function hear(now: Hearing, from = Date.now()): void {
  if (now === hearing) return;
  hearing = now;
  since = from;
  watchers.forEach((w) => w());
}

/** The server has answered a request: one that was lost is there again. */
export function answers(): void {
  answered?.();
}

function watch(w: () => void): () => void {
  watchers.add(w);
  return () => watchers.delete(w);
}

/** Opens the project's stream for as long as its frame is drawn; the shell calls it once. */
export function useLive(project: string | undefined): void {
  const queries = useQueryClient();
  useEffect(() => {
    if (project === undefined) return;
    const line = new Line(project, queries);
    return () => line.end();
  }, [project, queries]);
}

/** Whether changes reach the page. */
export function useHearing(): Hearing {
  return useSyncExternalStore(watch, () => hearing);
}

/** Since when it has been so, in milliseconds of wall time. */
export function useHearingSince(): number {
  return useSyncExternalStore(watch, () => since);
}

/**
 * Calls onEvent with each event of the types, all for none, while the component is drawn.
 * Queries need no such hook: the stream renews them by itself, see touched.
 */
export function useEvents(types: readonly string[], onEvent: (e: Change) => void): void {
  const call = useEffectEvent((e: Change) => {
    if (types.length === 0 || types.includes(e.type)) onEvent(e);
  });
  useEffect(() => {
    const listener = (e: Change) => call(e);
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
    };
  }, []);
}
