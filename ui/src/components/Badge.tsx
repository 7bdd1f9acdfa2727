import {
  Ban,
  CircleAlert,
  CircleCheck,
  CircleDashed,
  CircleDot,
  CircleHelp,
  CircleX,
  type LucideIcon,
} from "lucide-react";
import css from "./Badge.module.css";

/** What a state means to a reader; its colour and sign follow from it. */
export type Tone = "good" | "warn" | "bad" | "info" | "none";

const signs: Record<Tone, LucideIcon> = {
  good: CircleCheck,
  warn: CircleAlert,
  bad: CircleX,
  info: CircleDot,
  none: CircleDashed,
};

/** The tones of the states that the stages have. A state that is not here has none. */
const tones: Record<string, Tone> = {
  succeeded: "good",
  finished: "good",
  passed: "good",
  live: "good",
  promoted: "good",
  ready: "good",
  healthy: "good",
  green: "good",
  resolved: "good",
  running: "info",
  collecting: "info",
  training: "info",
  packaging: "info",
  gating: "info",
  releasing: "info",
  scheduled: "info",
  queued: "none",
  waiting: "none",
  pending: "none",
  cached: "none",
  skipped: "none",
  unchanged: "none",
  superseded: "none",
  unknown: "none",
  failed: "bad",
  red: "bad",
  refused: "bad",
  stopped: "bad",
  rolled_back: "bad",
  rolledback: "bad",
  aborted: "none",
  retired: "none",
  killed: "bad",
  lost: "bad",
  canceled: "none",
  cancelled: "none",
  open: "warn",
  asked: "warn",
  held: "warn",
};

/** States whose word is not how it is written. */
const words: Record<string, string> = { rolledback: "rolled back" };

interface BadgeProps {
  /** As the server says it, such as rolled_back. */
  state: string;
  /** Where the table above does not know the state. */
  tone?: Tone;
  label?: string;
}

/** A state as a word with a sign and a colour. */
export function StatusBadge({ state, tone, label }: BadgeProps) {
  const word = state.toLowerCase();
  const t = tone ?? tones[word] ?? "none";
  const Sign =
    word === "canceled" || word === "cancelled" ? Ban : word === "unknown" ? CircleHelp : signs[t];
  return (
    <span className={`${css.badge} ${css[t]}`}>
      <Sign size={13} aria-hidden />
      <span className={css.word}>{label ?? words[word] ?? word.replace(/_/g, " ")}</span>
    </span>
  );
}
