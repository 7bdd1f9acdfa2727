import { useHearing, type Hearing } from "../data/live";
import css from "./LiveMark.module.css";

const says: Record<Hearing, [word: string, why: string]> = {
  connecting: ["Connecting", "The server's stream of events is being opened"],
  live: ["Live", "What happens is shown within a second"],
  reconnecting: [
    "Reconnecting",
    "The server's stream of events has broken off; what is shown may be old",
  ],
  asleep: ["Asleep", "This tab was hidden, and hears of events again when it is looked at"],
};

/** Whether what is shown follows the server. */
export function LiveMark() {
  const hearing = useHearing();
  const [word, why] = says[hearing];
  return (
    <span data-tip={why} className={css.mark} data-hearing={hearing} role="status" tabIndex={0}>
      <span className={css.dot} aria-hidden />
      <span className={css.word}>{word}</span>
    </span>
  );
}
