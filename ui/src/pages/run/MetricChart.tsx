import { Skeleton } from "@mantine/core";
import { useIntersection } from "@mantine/hooks";
import { useMemo, useState } from "react";
import { Figure } from "../../charts/Figure";
import { axisOf, lineOf, oddities, partOf, type Axis } from "../../charts/history";
import { LineChart, LineTable, type Range } from "../../charts/LineChart";
import { withoutOutliers } from "../../charts/lines";
import { Failed, failureOf } from "../../components/State";
import { useChart, type ChartLine, type SeriesAsk } from "../../data/charts";
import { count, duration, plural, short } from "../../format/number";
import { absolute } from "../../format/time";
import css from "./MetricChart.module.css";
import { formatOf } from "./unit";
import type { ChartView } from "./view";

/** A run whose metric is drawn. */
export interface ChartedRun {
  id: string;
  label: string;
  /** Its place in the palette, from 1. */
  color: number;
  startMS: number;
}

interface MetricChartProps {
  project: string;
  metric: string;
  runs: readonly ChartedRun[];
  view: ChartView;
  onZoom: (zoom: Range | undefined) => void;
  /** Some run still goes on. */
  live: boolean;
  height?: number;
}

/** What x is called, and how its values are written. */
export const axes: Record<Axis, { name: string; format?: (x: number) => string }> = {
  step: { name: "step", format: (x) => (Math.abs(x) < 1e6 ? count(x) : short(x)) },
  time: { name: "wall time" },
  relative: { name: "time since the start", format: (x) => duration(Math.round(x)) },
};

/** The histories of one metric. It asks for them once it is in sight. */
export function MetricChart(props: MetricChartProps) {
  const { project, metric, runs, live, height = 190 } = props;
  const { ref, entry } = useIntersection({ rootMargin: "300px" });
  const enabled = entry?.isIntersecting ?? false;
  const by = props.view.axis === "step" ? "step" : "time";
  const whole = useMemo(() => runs.map((r) => ({ run: r.id, key: metric })), [runs, metric]);
  const all = useChart({ project, by, series: whole, live, enabled });
  const axis = axisOf(all.data ?? [], props.view.axis);
  // Steps that others show are no times: a chart that has none has a zoom of its own.
  const [own, setOwn] = useState<Range>();
  const alone = axis !== props.view.axis;
  const view = alone ? { ...props.view, zoom: own } : props.view;
  const thinned = all.data?.some((l) => l.width > 0) ?? false;
  const part = useMemo<SeriesAsk[]>(
    () =>
      runs.map((r) => ({
        run: r.id,
        key: metric,
        ...(view.zoom ? partOf(view.zoom, axis, r.startMS) : {}),
      })),
    [runs, metric, view.zoom, axis],
  );
  const zoomed = useChart({
    project,
    by,
    series: part,
    live,
    enabled: enabled && thinned && view.zoom !== undefined,
  });
  const drawn = view.zoom && thinned && zoomed.data ? zoomed.data : all.data;
  return (
    <div ref={ref} className={css.card}>
      {drawn === undefined ? (
        failureOf(all) != null ? (
          <Failed query={all} />
        ) : (
          <div role="status" aria-label={`Loading ${metric}`} aria-busy={enabled || undefined}>
            <div className={css.name}>{metric}</div>
            <Skeleton height={height} animate={enabled} />
          </div>
        )
      ) : (
        <Drawn
          metric={metric}
          runs={runs}
          view={view}
          axis={axis}
          drawn={drawn}
          onZoom={alone ? setOwn : props.onZoom}
          height={height}
        />
      )}
    </div>
  );
}

interface DrawnProps extends Pick<MetricChartProps, "metric" | "runs" | "view" | "onZoom"> {
  axis: Axis;
  drawn: readonly ChartLine[];
  height: number;
}

/** A chart of histories that have come, with what is to be said about them. */
export function Drawn({ metric, runs, view, axis, drawn, onZoom, height }: DrawnProps) {
  const lines = useMemo(
    () =>
      runs.flatMap((r) => {
        // By its run: what was drawn before stays in sight until what other runs have comes.
        const h = drawn.find((l) => l.run === r.id);
        if (h === undefined || h.step.length === 0) return [];
        const { smoothing } = view;
        return lineOf(h, { label: r.label, axis, start: r.startMS, smoothing, color: r.color });
      }),
    [runs, drawn, axis, view],
  );
  const calm = useMemo(
    () => (view.withoutOutliers ? withoutOutliers(lines.flatMap((l) => l.raw ?? l.y)) : undefined),
    [lines, view.withoutOutliers],
  );
  const format = formatOf(metric);
  const { name, format: formatX } = axes[axis];
  const points = drawn.reduce((n, l) => n + l.points, 0);
  const whose = lines.length === 1 ? "" : ` of ${plural(lines.length, "run")}`;
  const x = formatX ? { formatX } : { time: true };
  return (
    <Figure
      title={metric}
      describe={`${metric}${whose} by ${name}: ${plural(points, "point")}`}
      table={() => (
        <LineTable
          label={metric}
          x={name}
          lines={lines}
          formatX={formatX ?? absolute}
          formatY={format}
        />
      )}
    >
      <LineChart
        describe={`${metric}${whose} by ${name}; use the arrow keys to read it`}
        lines={lines}
        height={height}
        formatY={format}
        logX={view.logX}
        logY={view.logY}
        rangeX={view.zoom}
        rangeY={calm}
        onZoom={onZoom}
        group={`metrics-${axis}`}
        legend={false}
        {...x}
      />
      <p className={css.note}>
        {[...newest(drawn, format), ...notes(drawn, lines.length, view, axis, calm)].join(" · ")}
      </p>
    </Figure>
  );
}

/** The newest value of a history that is alone. */
function newest(drawn: readonly ChartLine[], format: (y: number) => string): string[] {
  const [one, ...others] = drawn;
  const y = one?.last.at(-1);
  return typeof y === "number" && others.length === 0 ? [`newest ${format(y)}`] : [];
}

/** What of the data is not to be seen, or not as it is. */
function notes(
  drawn: readonly ChartLine[],
  lines: number,
  view: ChartView,
  axis: Axis,
  calm: Range | undefined,
): string[] {
  const { nans, infinities } = oddities(drawn);
  const points = drawn.reduce((n, l) => n + l.points, 0);
  const buckets = drawn.reduce((n, l) => n + l.step.length, 0);
  const thinned = drawn.some((l) => l.width > 0);
  const values = drawn.flatMap((l) => l.min ?? l.last);
  const low =
    (view.logY && values.some((v) => v !== null && v <= 0)) ||
    (view.logX && axis === "step" && drawn.some((l) => (l.step[0] ?? 1) <= 0));
  return [
    ...(lines === 0 ? ["no points here"] : []),
    ...(thinned
      ? [`${short(points)} points in ${count(buckets)} stretches: mean, least, highest`]
      : []),
    ...(nans > 0 ? [`${count(nans)} NaN`] : []),
    ...(infinities > 0 ? [`${count(infinities)} infinite`] : []),
    ...(low ? ["zero and less has no place on a logarithmic axis"] : []),
    ...(calm ? ["outliers are out of sight"] : []),
  ];
}
