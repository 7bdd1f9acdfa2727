import type { Phase } from "../../data/overview";
import css from "./Meter.module.css";

/** A mark for each check of a phase. */
export function Meter({ phase }: { phase: Phase }) {
  return (
    <span className={css.meter} aria-hidden>
      {phase.checks.map((c) => (
        <span key={c.name} className={css.cell} data-state={c.state} />
      ))}
    </span>
  );
}
