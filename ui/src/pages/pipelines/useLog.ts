import { useCallback, useEffect, useState } from "react";
import { Problem } from "../../data/client";
import { readLog } from "../../data/pipelines";
import { Log } from "./log";

/** What of a log is here; `changes` grows with each part. */
export interface LogState {
  log: Log;
  changes: number;
  error?: unknown;
  again: () => void;
}

const RETRY_MS = 2000;

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
    error: undefined as unknown,
  }));
  useEffect(() => {
    const stop = new AbortController();
    const log = new Log();
    let changes = 0;
    const tell = (error?: unknown) => {
      if (!stop.signal.aborted) setState({ name, log, changes: ++changes, error });
    };
    const follow = async () => {
      while (!log.done && !stop.signal.aborted) {
        try {
          log.add(await readLog({ project, run, step, attempt }, log.next, stop.signal));
          tell();
        } catch (err) {
          if (stop.signal.aborted) return;
          tell(err);
          if (!(err instanceof Problem) || (err.status !== 0 && err.status < 500)) return;
          await new Promise((go) => setTimeout(go, RETRY_MS));
        }
      }
    };
    void follow();
    return () => stop.abort();
  }, [project, run, step, attempt, name]);
  const again = useCallback(() => setTries((n) => n + 1), []);
  const { log, changes, error } = state.name === name ? state : BLANK;
  return { log, changes, error, again };
}

/** What stands there before the first part of a log has come. */
const BLANK = { log: new Log(), changes: 0, error: undefined };
