import css from "./Bars.module.css";

interface BarsProps {
  /** How many values there are in each part, from left to right. */
  values: readonly number[];
  /** The same of what they are compared with, on the same parts; drawn as an outline. */
  before?: readonly number[] | undefined;
  /** What the picture says in words; without it, it stands beside its numbers. */
  label?: string;
  height?: number;
}

/** Bars of a distribution, as shares of each side, so that sides of other sizes compare. */
export function Bars({ values, before, label, height = 28 }: BarsProps) {
  const [now, then] = [shares(values), before && shares(before)];
  const top = Math.max(...now, ...(then ?? []), Number.MIN_VALUE);
  const step = 100 / Math.max(1, now.length);
  const y = (share: number) => height - (share / top) * (height - 1);
  return (
    <svg
      className={css.bars}
      viewBox={`0 0 100 ${height}`}
      preserveAspectRatio="none"
      style={{ height }}
      {...(label ? { role: "img", "aria-label": label } : { "aria-hidden": true })}
    >
      {now.map((share, i) => (
        <rect
          key={i}
          className={css.bar}
          x={i * step + step * 0.06}
          width={step * 0.88}
          y={share > 0 ? Math.min(y(share), height - 1) : height}
          height={share > 0 ? Math.max(1, height - y(share)) : 0}
        />
      ))}
      {then && <path className={css.before} d={outline(then, step, y, height)} />}
      <line className={css.base} x1="0" x2="100" y1={height - 0.25} y2={height - 0.25} />
    </svg>
  );
}

function shares(values: readonly number[]): number[] {
  const sum = values.reduce((a, b) => a + b, 0);
  return values.map((v) => (sum > 0 ? v / sum : 0));
}

/** A line over the tops, as stairs. */
function outline(
  values: readonly number[],
  step: number,
  y: (share: number) => number,
  height: number,
): string {
  const stairs = values.map((v, i) => `V${y(v).toFixed(2)}H${((i + 1) * step).toFixed(2)}`);
  return `M0 ${height}${stairs.join("")}V${height}`;
}
