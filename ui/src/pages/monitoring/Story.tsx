import { CircleAlert, CircleCheck, CircleDashed, CircleDot, CircleX } from "lucide-react";
import type { ReactNode } from "react";
import type { Tone } from "../../components/Badge";
import { Time } from "../../components/Time";
import css from "./Story.module.css";

/** Something that happened. */
export interface Moment {
  key: string;
  /** Event time in milliseconds; left out where it has none. */
  at?: number;
  /** Wall time in milliseconds. */
  time?: number;
  tone: Tone;
  title: ReactNode;
  text?: ReactNode;
}

const signs = {
  good: CircleCheck,
  bad: CircleX,
  warn: CircleAlert,
  info: CircleDot,
  none: CircleDashed,
};

/** What happened, in order, each with the time of the stream and of the machine. */
export function Story({ label, moments }: { label: string; moments: Moment[] }) {
  return (
    <ol className={css.story} aria-label={label}>
      {moments.map((m) => {
        const Sign = signs[m.tone];
        return (
          <li key={m.key} className={css.item}>
            <div className={css.when}>
              {m.at !== undefined && <Time at={m.at} clock="stream" />}
              {m.time !== undefined && (
                <span className={m.at === undefined ? "" : css.wall}>
                  <Time at={m.time} />
                </span>
              )}
            </div>
            <div className={`${css.sign} ${css[m.tone]}`}>
              <Sign size={16} aria-hidden />
            </div>
            <div className={css.what}>
              <div className={css.title}>{m.title}</div>
              {m.text && <div className={css.text}>{m.text}</div>}
            </div>
          </li>
        );
      })}
    </ol>
  );
}
