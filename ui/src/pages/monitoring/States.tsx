import { place, type TimeFrame } from "../../charts/timeframe";
import type { Stretch } from "../../data/monitoring";
import css from "./Boards.module.css";
import { stretchText } from "./cells";

/** The verdict on each window: red is filled with a mark, unknown is dashed. */
export function States({ frame, stretches }: { frame: TimeFrame; stretches: Stretch[] }) {
  return (
    <svg width={frame.width} height={18} aria-hidden>
      {stretches.map((s) => {
        const [a, b] = [place(frame, Date.parse(s.from)), place(frame, Date.parse(s.to))];
        const wide = b - a > 5;
        const state = s.worst.state;
        return (
          <g key={`${s.from} ${s.worst.version}`}>
            <rect
              x={a + (wide ? 0.5 : 0)}
              y={3.5}
              width={Math.max(1, b - a - (wide ? 2 : 0))}
              height={11}
              rx={wide ? 2 : 0}
              className={css[state]}
            >
              <title>{`${stretchText(s)}, version ${s.worst.version}: ${state}${s.worst.reason ? `, ${s.worst.reason}` : ""}`}</title>
            </rect>
            {state === "red" && wide && (
              <circle cx={(a + b - 1) / 2} cy={9} r={2} className={css.dot} />
            )}
          </g>
        );
      })}
    </svg>
  );
}
