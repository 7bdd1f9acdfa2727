import unseen from "../components/unseen.module.css";
import { useLate } from "../data/late";
import { useHearing, useHearingSince, type Hearing } from "../data/live";
import { absolute, clock } from "../format/time";
import css from "./LiveMark.module.css";

const says: Record<Hearing | "late", [word: string, why: string]> = {
  connecting: ["Connecting", "The server's stream of events is being opened"],
  live: ["Live", "What happens is shown within a second"],
  reconnecting: [
    "Offline",
    "The server's stream of events has broken off; what is shown may be no newer",
  ],
  late: ["Not refreshed", "The server is busy: some of what is shown may be no newer"],
  asleep: ["Asleep", "This tab was hidden, and hears of events again when it is looked at"],
};

/** Whether what is shown follows the server, and since when it does not. */
export function LiveMark() {
  const heard = useHearing();
  const heardSince = useHearingSince();
  const late = useLate();
  const hearing = late > 0 && heard !== "reconnecting" ? "late" : heard;
  const since = hearing === "late" ? late : heardSince;
  const [word, why] = says[hearing];
  const lost = hearing === "late" || hearing === "reconnecting";
  return (
    <span
      data-tip={lost ? `${why} than of ${absolute(since)}. It is tried again by itself` : why}
      className={css.mark}
      data-hearing={hearing}
      role="status"
      tabIndex={0}
    >
      <span className={css.dot} aria-hidden />
      <span className={hearing === "live" ? unseen.narrow : undefined}>{word}</span>
      {lost && <span>since {clock(since)}</span>}
    </span>
  );
}
