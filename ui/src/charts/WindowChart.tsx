import type { ReactNode } from "react";
import { Lane } from "./Board";
import { period, place, type TimeFrame } from "./timeframe";
import css from "./WindowChart.module.css";

/** What a line is at in one window of time. */
interface WindowPoint {
  from: number;
  to: number;
  y: number | null;
  /** The verdict was red: the point is drawn as a mark. */
  red?: boolean;
}

/** A line over windows of time. */
export interface WindowLine {
  label: string;
  points: WindowPoint[];
  /** 1 to 8: the place in the palette; a limit is grey, dashed and drawn in steps. */
  color: number | "limit";
}

interface WindowChartProps {
  frame: TimeFrame;
  label: string;
  lines: WindowLine[];
  height?: number;
  format: (y: number) => string;
  /** Times at which something began, such as a version: a line through the chart. */
  marks?: number[];
}

/** Lines over windows of time, one lane of a board. Outliers are cut off, with a mark that says so. */
export function WindowChart(props: WindowChartProps) {
  const { frame, lines, height = 150, format } = props;
  const [low, high] = rangeOf(lines);
  const y = (v: number) => height - 6 - ((Math.min(v, high) - low) / (high - low)) * (height - 12);
  const ticks = niceTicks(low, high);
  return (
    <Lane
      label={
        <div className={css.axis} style={{ height }}>
          <span className={css.name}>{props.label}</span>
          {ticks.map((v) => (
            <span key={v} className={css.tick} style={{ top: y(v) }}>
              {format(v)}
            </span>
          ))}
        </div>
      }
    >
      <svg width={frame.width} height={height} aria-hidden>
        {ticks.map((v) => (
          <line key={v} x1={0} x2={frame.width} y1={y(v)} y2={y(v)} className={css.grid} />
        ))}
        {props.marks?.map((at) => (
          <line
            key={at}
            x1={place(frame, at)}
            x2={place(frame, at)}
            y1={0}
            y2={height}
            className={css.marker}
          />
        ))}
        {lines.map((l) => (
          <Path key={l.label} frame={frame} line={l} y={y} />
        ))}
        {lines.map((l) => (
          <Marks key={l.label} frame={frame} line={l} y={y} high={high} format={format} />
        ))}
      </svg>
    </Lane>
  );
}

type Scale = (v: number) => number;

function Path({ frame, line, y }: { frame: TimeFrame; line: WindowLine; y: Scale }) {
  if (line.color === "limit")
    return <path d={steps(frame, line.points, y)} className={css.limit} />;
  const style = { stroke: `var(--f-series-${line.color})` };
  return <path d={trace(frame, line.points, y)} className={css.line} style={style} />;
}

const middle = (f: TimeFrame, p: WindowPoint) => place(f, (p.from + p.to) / 2);

function trace(f: TimeFrame, points: WindowPoint[], y: Scale): string {
  let d = "";
  let pen = "M";
  for (const p of points) {
    if (p.y === null) pen = "M";
    else {
      d += `${pen}${middle(f, p).toFixed(1)} ${y(p.y).toFixed(1)}`;
      pen = "L";
    }
  }
  return d;
}

function steps(f: TimeFrame, points: WindowPoint[], y: Scale): string {
  return points
    .filter((p) => p.y !== null)
    .map(
      (p) =>
        `M${place(f, p.from).toFixed(1)} ${y(p.y ?? 0).toFixed(1)}H${place(f, p.to).toFixed(1)}`,
    )
    .join("");
}

interface MarksProps {
  frame: TimeFrame;
  line: WindowLine;
  y: Scale;
  high: number;
  format: (y: number) => string;
}

/** Points that stand alone or are red, and those beyond the range, with what they are. */
function Marks({ frame, line, y, high, format }: MarksProps) {
  if (line.color === "limit") return null;
  const style = { fill: `var(--f-series-${line.color})` };
  const few = line.points.length <= 120;
  return (
    <>
      {line.points.map((p, i) => {
        if (p.y === null) return null;
        const alone = line.points[i - 1]?.y == null && line.points[i + 1]?.y == null;
        const x = middle(frame, p);
        const title = <title>{`${line.label}, ${period(p.from, p.to)}: ${format(p.y)}`}</title>;
        if (p.y > high) {
          return (
            <path key={i} d={`M${x - 4} 8L${x} 1L${x + 4} 8Z`} className={css.clipped}>
              {title}
            </path>
          );
        }
        if (!p.red && !few && !alone) return null;
        return (
          <circle
            key={i}
            cx={x}
            cy={y(p.y)}
            r={p.red ? 3.5 : 1.8}
            className={p.red ? css.red : ""}
            style={p.red ? {} : style}
          >
            {title}
          </circle>
        );
      })}
    </>
  );
}

/** From zero to what nearly all points are below; a single outlier does not flatten the rest. */
export function rangeOf(lines: WindowLine[]): [number, number] {
  const all = lines
    .flatMap((l) => l.points.map((p) => p.y))
    .filter((v) => v !== null)
    .sort((a, b) => a - b);
  if (all.length === 0) return [0, 1];
  const at = (share: number) => all[Math.min(all.length - 1, Math.floor(share * all.length))] ?? 0;
  const [least, most, usual] = [at(0), at(1), at(0.96)];
  const high = most > 2 * usual && usual > 0 ? 1.6 * usual : most;
  const low = Math.min(0, least);
  return high > low ? [low, high + (high - low) * 0.04] : [low, low + 1];
}

/** Three to five round numbers within a range. */
export function niceTicks(low: number, high: number): number[] {
  const rough = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((n) => n * power).find((s) => s >= rough) ?? rough;
  const out: number[] = [];
  for (let i = Math.ceil(low / step); i * step <= high; i++) {
    out.push(Number((i * step).toPrecision(12)));
  }
  return out;
}

/** What the lines are. */
export function LineLegend({ lines, children }: { lines: WindowLine[]; children?: ReactNode }) {
  return (
    <ul className={css.legend}>
      {lines.map((l) => (
        <li key={l.label}>
          <svg width={22} height={10} aria-hidden>
            {l.color === "limit" ? (
              <path d="M0 5H22" className={css.limit} />
            ) : (
              <path
                d="M0 5H22"
                className={css.line}
                style={{ stroke: `var(--f-series-${l.color})` }}
              />
            )}
          </svg>
          {l.label}
        </li>
      ))}
      {children}
    </ul>
  );
}

/** The mark of a red window, for a legend. */
export function RedMark() {
  return (
    <svg width={10} height={10} aria-hidden>
      <circle cx={5} cy={5} r={3.5} className={css.red} />
    </svg>
  );
}

interface ShareBarsProps {
  frame: TimeFrame;
  label: string;
  points: WindowPoint[];
  /** Below it, a bar is marked as too low. */
  enough: number;
}

const SHARES = 44; // pixels high

/** A share of one in each window, as bars, with a line at what is enough. */
export function ShareBars({ frame, label, points, enough }: ShareBarsProps) {
  const y = (v: number) => (1 - v) * (SHARES - 2) + 1;
  return (
    <Lane
      label={
        <div className={css.axis} style={{ height: SHARES }}>
          <span className={css.name}>{label}</span>
          <span className={css.tick} style={{ top: 7 }}>
            100 %
          </span>
          <span className={css.tick} style={{ top: SHARES - 6 }}>
            0
          </span>
        </div>
      }
    >
      <svg width={frame.width} height={SHARES} aria-hidden>
        {points.map((p) => {
          const [a, b] = [place(frame, p.from), place(frame, p.to)];
          const share = p.y ?? 0;
          return (
            <rect
              key={p.from}
              x={a}
              width={Math.max(1, b - a - (b - a > 4 ? 1 : 0))}
              y={y(share)}
              height={SHARES - 1 - y(share)}
              className={share < enough ? css.low : css.bar}
            >
              <title>{`${period(p.from, p.to)}: ${Math.round(share * 100)} %`}</title>
            </rect>
          );
        })}
        <line x1={0} x2={frame.width} y1={y(enough)} y2={y(enough)} className={css.limit} />
      </svg>
    </Lane>
  );
}
