import { useWidth } from "../../components/width";
import { Figure } from "../../charts/Figure";
import { DataTable } from "../../components/DataTable";
import type { PipelineRun, PipelineTry } from "../../data/pipelines";
import { plural, value } from "../../format/number";
import css from "./TryChart.module.css";

type Goal = NonNullable<PipelineRun["goal"]>;

interface TryChartProps {
  tries: readonly PipelineTry[];
  goal: Goal;
  winner: number;
}

const HEIGHT = 150;
const LEFT = 52;
const BOTTOM = 22;
const TOP = 10;

interface Point {
  n: number;
  value: number;
  /** The best value up to here. */
  best: number;
}

/** The values of tries in their order, with the best so far. */
export function progress(tries: readonly PipelineTry[], lower: boolean): Point[] {
  let best: number | undefined;
  return tries
    .flatMap((t) => (t.value == null ? [] : [{ n: t.n, value: t.value }]))
    .sort((a, b) => a.n - b.n)
    .map((p) => {
      if (best === undefined || (lower ? p.value < best : p.value > best)) best = p.value;
      return { ...p, best };
    });
}

/** How a search came to its best value: a dot for each try, and a line for the best so far. */
export function TryChart({ tries, goal, winner }: TryChartProps) {
  const { ref, width } = useWidth();
  const points = progress(tries, goal.lower);
  const bound = goal.at_least ?? goal.at_most;
  const values = points.map((p) => p.value).concat(bound ?? []);
  const least = Math.min(...values);
  const most = Math.max(...values);
  const room = (most - least || Math.abs(most) || 1) * 0.08;
  const last = points.at(-1)?.n ?? 1;
  const first = points[0]?.n ?? 1;
  const x = (n: number) => LEFT + ((n - first + 0.5) / (last - first + 1)) * (width - LEFT - 12);
  const y = (v: number) =>
    TOP + (1 - (v - least + room) / (most - least + 2 * room)) * (HEIGHT - TOP - BOTTOM);
  const line = points
    .map((p, i) => (i === 0 ? `M${x(p.n)},${y(p.best)}` : `H${x(p.n)}V${y(p.best)}`))
    .join("");
  const title = `${goal.metric} by try, ${goal.lower ? "lower" : "higher"} is better`;
  return (
    <Figure
      title={title}
      describe={`${title}: ${plural(points.length, "try", "tries")} from ${value(least)} to ${value(most)}, best ${value(points.at(-1)?.best)}`}
      table={() => (
        <DataTable
          label={title}
          rows={points}
          rowKey={(p) => String(p.n)}
          columns={[
            { id: "n", head: "Try", cell: (p) => p.n, numeric: true },
            { id: "value", head: goal.metric, cell: (p) => value(p.value), numeric: true },
            { id: "best", head: "Best so far", cell: (p) => value(p.best), numeric: true },
          ]}
        />
      )}
    >
      <div ref={ref} className={css.box}>
        {width > 0 && (
          <svg width={width} height={HEIGHT} className={css.chart}>
            {[least, (least + most) / 2, most].map((v, i) => (
              <g key={i}>
                <line className={css.grid} x1={LEFT} x2={width} y1={y(v)} y2={y(v)} />
                <text className={css.text} x={LEFT - 6} y={y(v)} dy="0.35em" textAnchor="end">
                  {value(v, 3)}
                </text>
              </g>
            ))}
            {bound != null && (
              <g>
                <line className={css.bound} x1={LEFT} x2={width} y1={y(bound)} y2={y(bound)} />
                <text className={css.text} x={LEFT + 4} y={y(bound) - 5}>
                  ends at {value(bound)}
                </text>
              </g>
            )}
            <path className={css.best} d={line} />
            {points.map((p) => (
              <circle
                key={p.n}
                className={p.n === winner ? css.winner : css.dot}
                cx={x(p.n)}
                cy={y(p.value)}
                r={p.n === winner ? 6 : points.length > 100 ? 2 : 4}
              >
                <title>{`Try ${p.n}: ${value(p.value)}`}</title>
              </circle>
            ))}
            {[first, last].map((n, i) =>
              i === 0 || last > first ? (
                <text
                  key={n}
                  className={css.text}
                  x={x(n)}
                  y={HEIGHT - 6}
                  textAnchor={i === 0 ? "start" : "end"}
                >
                  try {n}
                </text>
              ) : null,
            )}
          </svg>
        )}
      </div>
    </Figure>
  );
}
