import { UNKNOWN } from "../format/number";
import { absolute, ago, utc } from "../format/time";
import { useNow } from "./now";

interface TimeProps {
  /** Milliseconds since 1970, or a text of RFC 3339. */
  at: number | string | null | undefined;
  /** Stream time is the clock of the requests; wall time is that of the machine. */
  clock?: "wall" | "stream";
}

/**
 * A point of time: relative in wall time, and absolute with its zone on hover and focus.
 * Stream time has no "ago"; it is shown as it is.
 */
export function Time({ at, clock = "wall" }: TimeProps) {
  const now = useNow();
  const ms = typeof at === "string" ? Date.parse(at) : at;
  if (ms == null || Number.isNaN(ms) || ms <= 0) return <span>{UNKNOWN}</span>;
  const text = clock === "stream" ? utc(ms).slice(0, 16) : ago(ms, now);
  const whole = clock === "stream" ? `${utc(ms)} (event time)` : `${absolute(ms)} · ${utc(ms)}`;
  return (
    <time
      data-tip={whole}
      dateTime={new Date(ms).toISOString()}
      tabIndex={0}
      style={{ whiteSpace: "nowrap" }}
    >
      {text}
    </time>
  );
}
