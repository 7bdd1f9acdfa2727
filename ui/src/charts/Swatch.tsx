import css from "./Swatch.module.css";
import { styleOf } from "./lines";

/** How the nth line of a chart looks, n from 1: its colour and its dashes. */
export function Swatch({ n }: { n: number }) {
  const { color, dash } = styleOf(n);
  return (
    <svg className={css.swatch} width={18} height={8} aria-hidden focusable={false}>
      <line
        x1={1}
        x2={17}
        y1={4}
        y2={4}
        stroke={`var(${color})`}
        strokeWidth={2.5}
        strokeDasharray={dash.map((d) => d * 0.7).join(" ")}
      />
    </svg>
  );
}
