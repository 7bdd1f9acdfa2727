import css from "./Sparkline.module.css";
import { styleOf } from "./lines";

interface SparklineProps {
  values: readonly (number | null)[];
  /** What it shows, for who cannot see it. */
  label: string;
  /** From 1: its place in the palette (see styleOf). */
  color?: number;
  width?: number;
  height?: number;
}

/** A line without axes, from zero: whether something rises, falls or stands still. */
export function Sparkline({ values, label, color = 1, width = 120, height = 28 }: SparklineProps) {
  const top = Math.max(...values.map((v) => v ?? 0), 0);
  const step = values.length > 1 ? width / (values.length - 1) : width;
  const y = (v: number) => height - 1.5 - (top > 0 ? (v / top) * (height - 3) : 0);
  let path = "";
  values.forEach((v, i) => {
    if (v === null) return;
    const begins = i === 0 || values[i - 1] === null;
    path += `${begins ? "M" : "L"}${(i * step).toFixed(1)},${y(v).toFixed(1)}`;
  });
  return (
    <svg
      role="img"
      aria-label={label}
      viewBox={`0 0 ${width} ${height}`}
      width={width}
      height={height}
      className={css.spark}
    >
      <path d={path} stroke={`var(${styleOf(color).color})`} fill="none" strokeWidth={1.5} />
    </svg>
  );
}
