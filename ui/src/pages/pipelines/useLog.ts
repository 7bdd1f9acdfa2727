import { useCallback, useEffect, useState } from "react";
import { Problem } from "../../data/client";
import { readLog } from "../../data/pipelines";
import { Log } from "./log";

/** What of a log is here; `changes` grows with each part. */
export interface LogState {
  log: Log;
  changes: number;
  error: Error | null;
  /** When its last part came, in milliseconds of wall time. */
  updated: number;
  again: () => void;
}

const RETRY_MS = 2000;
/** How many tries may fail before it is said. */
const FEW = 3;

/**
 * Reads a log from its beginning, and goes on as the step prints, until it has ended. The
 * server keeps 16 MB of a step's output, so all of it fits in here.
 */
export function useLog(project: string, run: string, step: string, attempt: number): LogState {
  const [tries, setTries] = useState(0);
  const name = [project, run, step, attempt, tries].join("\n");
  const [state, setState] = useState(() => ({
    name,
    log: new Log(),
    changes: 0,
    error: null as Error | null,
    updated: 0,
  }));
  useEffect(() => {
    const stop = new AbortController();
    const log = new Log();
    let [changes, failures, updated] = [0, 0, 0];
    const tell = (error: Error | null) => {
      if (!stop.signal.aborted) setState({ name, log, changes: ++changes, error, updated });
    };
    const follow = async () => {
      while (!log.done && !stop.signal.aborted) {
        try {
          log.add(await readLog({ project, run, step, attempt }, log.next, stop.signal));
          [failures, updated] = [0, Date.now()];
          tell(null);
        } catch (err) {
          if (stop.signal.aborted) return;
          const last = !(err instanceof Problem) || (err.status !== 0 && err.status < 500);
          if (last || ++failures > FEW) tell(err instanceof Error ? err : new Error(String(err)));
          if (last) return;
          await new Promise((go) => setTimeout(go, Math.min(300 * 2 ** failures, RETRY_MS)));
        }
      }
    };
    void follow();
    return () => stop.abort();
  }, [project, run, step, attempt, name]);
  const again = useCallback(() => setTries((n) => n + 1), []);
  return { ...(state.name === name ? state : BLANK), again };
}

/** What stands there before the first part of a log has come. */
const BLANK = { log: new Log(), changes: 0, error: null, updated: 0 };
