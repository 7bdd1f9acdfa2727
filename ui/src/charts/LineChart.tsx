import { useComputedColorScheme } from "@mantine/core";
import { useWidth } from "../components/width";
import {
  useEffect,
  useImperativeHandle,
  useMemo,
  useRef,
  useState,
  type KeyboardEvent,
  type Ref,
} from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { DataTable } from "../components/DataTable";
import { UNKNOWN, value } from "../format/number";
import { absolute, utc } from "../format/time";
import { Swatch } from "./Swatch";
import unseen from "../components/unseen.module.css";
import css from "./LineChart.module.css";
import { byTouch } from "./touch";
import { aboveZero, nearest, rowsOf, styleOf, type Line, type Range } from "./lines";

export type { Line, Range } from "./lines";

/** A line across the chart, such as a release. */
export interface Mark {
  x: number;
  label: string;
}

interface LineChartProps {
  /** What it shows, in a sentence. */
  describe: string;
  lines: readonly Line[];
  /** Shared by the lines that have none of their own. */
  x?: readonly number[];
  height?: number;
  /** Writes a value of the axis and of what is pointed at. An x that is not a time is a whole number. */
  formatX?: (x: number) => string;
  formatY?: (y: number) => string;
  /** x is a time in ms: wall time in the reader's zone, or stream time in UTC. */
  time?: boolean | "stream";
  logX?: boolean;
  logY?: boolean;
  /** What of x and y is in sight; default: all. */
  rangeX?: Range | undefined;
  rangeY?: Range | undefined;
  /** Is told of a zoom, undefined to see all again; without it the chart keeps its own. */
  onZoom?: (range: Range | undefined) => void;
  /** Charts of a group point at the same x together. */
  group?: string;
  /** Names of the lines below, which hide and show them. Default: with two lines or more. */
  legend?: boolean;
  marks?: readonly Mark[];
}

const NO_X: readonly number[] = [];

/** From tick to tick of whole numbers: there is no step between two steps. */
const WHOLE = Array.from({ length: 15 }, (_, k) => [1, 2, 5].map((n) => n * 10 ** k)).flat();

/**
 * Lines over an x axis. Drag zooms in, a double click shows all again; two fingers zoom, one
 * points; with the keyboard the arrows point, + and − zoom, 0 shows all again.
 */
export function LineChart(props: LineChartProps) {
  const { x = NO_X, lines, height = 180, formatX, formatY = value, time = false } = props;
  const { logX = false, logY = false, group, marks, rangeY } = props;
  const { ref: size, width } = useWidth();
  const at = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const readout = useRef<ReadoutHandle>(null);
  const scheme = useComputedColorScheme();
  const [own, setOwn] = useState<Range>();
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const zoom = props.onZoom ?? setOwn;
  const rangeX = props.onZoom ? props.rangeX : (props.rangeX ?? own);
  const [said, say] = useState("");

  const shown = useMemo(
    () =>
      lines
        .map((line, i) => ({ ...line, x: line.x ?? x, color: line.color ?? i + 1 }))
        .filter((line) => !hidden.has(line.label))
        .map((line) => aboveZero(line, logX, logY)),
    [lines, x, hidden, logX, logY],
  );
  const data = useMemo(() => join(shown), [shown]);
  const newest = useRef({ shown, data, formatX, formatY, rangeX, rangeY, zoom, marks });
  useEffect(() => {
    newest.current = { shown, data, formatX, formatY, rangeX, rangeY, zoom, marks };
  });

  const ready = width > 0;
  const shape = JSON.stringify([
    shown.map((l) => [l.label, l.color, l.low !== undefined, l.raw !== undefined]),
    [scheme, time, logX, logY, group, height],
  ]);
  useEffect(() => {
    const box = at.current;
    if (!box || !ready) return;
    const made = new uPlot(
      options(box, newest, readout, { time, logX, logY, group, height, width: box.clientWidth }),
      newest.current.data,
      box,
    );
    byTouch(made, {
      log: logX,
      whole: () => {
        const xs = newest.current.data[0];
        return wide(xs[0] ?? null, xs.at(-1) ?? null, logX);
      },
      show: (range) => {
        newest.current.rangeX = range;
        made.setData(newest.current.data, true);
      },
      done: (range) => newest.current.zoom(range),
    });
    plot.current = made;
    return () => {
      plot.current = null;
      made.destroy();
    };
    // Which lines are drawn, and how, is in shape; what changes without a new plot, below.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [ready, shape]);

  useEffect(() => {
    if (ready) plot.current?.setSize({ width, height });
  }, [ready, width, height]);

  const [from, to] = [rangeX?.[0], rangeX?.[1]];
  const [low, high] = [rangeY?.[0], rangeY?.[1]];
  useEffect(() => {
    const u = plot.current;
    if (u) u.setData(data, true); // the ranges of the axes are asked for anew
    readout.current?.renew();
  }, [data, from, to, low, high, marks, shape]);

  return (
    <div ref={size} className={css.chart}>
      <div
        role="application" // readers of the screen hand its keys through
        aria-roledescription="chart"
        aria-label={props.describe}
        tabIndex={0}
        className={css.plot}
        style={{ minHeight: height }}
        onKeyDown={(e) => {
          const moved = plot.current && byKey(plot.current, e, zoom, rangeX);
          if (moved) {
            e.preventDefault();
            say(readout.current?.text() ?? "");
          }
        }}
      >
        <div ref={at} />
        <Readout ref={readout} plot={plot} newest={newest} time={time} />
      </div>
      <div role="status" className={unseen.always}>
        {said}
      </div>
      {(props.legend ?? lines.length > 1) && (
        <Legend
          lines={lines}
          hidden={hidden}
          onToggle={(label) => {
            const next = new Set(hidden);
            if (!next.delete(label)) next.add(label);
            setHidden(next);
          }}
        />
      )}
    </div>
  );
}

type Shown = Line & { x: readonly number[]; color: number };

/** What the plot's own callbacks read: the newest of the props. */
interface Newest {
  shown: readonly Shown[];
  data: uPlot.AlignedData;
  formatX: ((x: number) => string) | undefined;
  formatY: (y: number) => string;
  rangeX: Range | undefined;
  rangeY: Range | undefined;
  zoom: (range: Range | undefined) => void;
  marks: readonly Mark[] | undefined;
}

/** The columns of a line: its ends, what was there before smoothing, and itself, at last. */
function columnsOf(line: Line): readonly (readonly (number | null)[])[] {
  return [
    ...(line.low && line.high ? [line.low, line.high] : []),
    ...(line.raw ? [line.raw] : []),
    line.y,
  ];
}

/** Puts all lines on one x, as uPlot wants them. */
function join(shown: readonly Shown[]): uPlot.AlignedData {
  const first = shown[0];
  if (first === undefined) return [[]];
  const tables = shown.map((l) => [l.x, ...columnsOf(l)] as uPlot.AlignedData);
  return shown.every((l) => l.x === first.x)
    ? ([first.x, ...shown.flatMap(columnsOf)] as uPlot.AlignedData)
    : uPlot.join(tables);
}

/**
 * How an axis of time writes its ticks, by how far apart they are in ms; where a day begins
 * between hours, its date. (uPlot's own are of two lines, and with the month before the day.)
 */
const TIMES: uPlot.Axis.Values = [
  [31_536_000_000, "{YYYY}", null, null, null, null, null, null, 0],
  [2_419_200_000, "{MMM} {YYYY}", null, null, null, null, null, null, 0],
  [86_400_000, "{D} {MMM}", null, null, null, null, null, null, 0],
  [60_000, "{HH}:{mm}", null, null, "{D} {MMM}", null, null, null, 0],
  [1000, "{HH}:{mm}:{ss}", null, null, "{D} {MMM}", null, null, null, 0],
  [1, "{ss}.{fff}", null, null, null, null, "{HH}:{mm}", null, 0],
];

interface Fixed {
  time: boolean | "stream";
  logX: boolean;
  logY: boolean;
  group: string | undefined;
  width: number;
  height: number;
}

function options(
  box: HTMLElement,
  newest: { current: Newest },
  readout: { current: ReadoutHandle | null },
  fixed: Fixed,
): uPlot.Options {
  const style = getComputedStyle(box);
  const color = (name: string) => style.getPropertyValue(name).trim();
  const grid = { stroke: color("--f-line"), width: 1 };
  const axis = {
    stroke: color("--f-dim"),
    grid,
    ticks: { ...grid, size: 4 },
    font: "11px system-ui, sans-serif",
    gap: 4,
  };
  const series: uPlot.Series[] = [{}];
  const bands: uPlot.Band[] = [];
  for (const line of newest.current.shown) {
    const { color: name, dash } = styleOf(line.color);
    const stroke = color(name);
    if (line.low && line.high) {
      const edge = { stroke: `${stroke}66`, width: 1, points: { show: false } };
      series.push(edge, edge); // drawn, so that a spike of a single point is seen
      bands.push({ series: [series.length - 1, series.length - 2], fill: `${stroke}33` });
    }
    if (line.raw) series.push({ stroke: `${stroke}55`, width: 1, points: { show: false } });
    series.push({
      label: line.label,
      stroke,
      width: 1.75,
      dash: [...dash],
      points: { size: 5, show: (u, i) => alone(u, i) },
    });
  }
  const write = (name: "formatX" | "formatY") => (_: uPlot, splits: (number | null)[]) =>
    splits.map((v) => (v === null ? "" : (newest.current[name]?.(v) ?? "")));
  const timed = fixed.time !== false && newest.current.formatX === undefined;
  return {
    width: fixed.width,
    height: fixed.height,
    ms: 1,
    ...(fixed.time === "stream"
      ? { tzDate: (ms: number) => uPlot.tzDate(new Date(ms), "Etc/UTC") }
      : {}),
    padding: [8, 22, 0, 0], // the last tick of time is not cut off
    legend: { show: false },
    scales: {
      x: {
        time: timed,
        distr: fixed.logX ? 3 : 1,
        range: (_, min, max) =>
          [...(newest.current.rangeX ?? wide(min, max, fixed.logX))] as MinMax,
      },
      y: {
        distr: fixed.logY ? 3 : 1,
        range: (_, min, max) =>
          newest.current.rangeY
            ? ([...newest.current.rangeY] as MinMax)
            : fixed.logY
              ? decades(min, max)
              : uPlot.rangeNum(...wide(min, max, false), 0.08, true),
      },
    },
    axes: [
      {
        ...axis,
        ...{ size: 26, space: 70 },
        ...(timed ? { values: TIMES } : { values: write("formatX"), incrs: WHOLE }),
      },
      { ...axis, size: axisSize, values: write("formatY"), space: 32 },
    ],
    series,
    bands,
    cursor: {
      y: false,
      points: { size: 7 },
      drag: { setScale: false, x: true, y: false },
      bind: {
        dblclick: () => () => {
          newest.current.zoom(undefined);
          return null;
        },
      },
      ...(fixed.group === undefined
        ? {}
        : { sync: { key: fixed.group, setSeries: false, scales: ["x", null] } }),
      dataIdx: (u, s, hovered) =>
        s === 0 ? hovered : Math.max(0, nearest(u.data[s] ?? [], hovered)),
    },
    hooks: {
      setSelect: [
        (u) => {
          if (u.select.width < 4) return;
          const from = u.posToVal(u.select.left, "x");
          const to = u.posToVal(u.select.left + u.select.width, "x");
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          newest.current.zoom([from, to]);
        },
      ],
      setCursor: [(u) => readout.current?.show(u)],
      draw: [(u) => drawMarks(u, newest.current.marks ?? [], color("--f-line-strong"), axis.font)],
    },
  };
}

type MinMax = [number, number];

/** Room around values that are all the same, and for none. */
function wide(min: number | null, max: number | null, log: boolean): MinMax {
  if (min === null || max === null) return log ? [1, 10] : [0, 1];
  if (min < max) return [min, max];
  return log ? [min / 2, min * 2] : [min - 1, max + 1];
}

/** The range of a logarithmic axis: whole decades, or less where there is less. */
function decades(min: number | null, max: number | null): MinMax {
  if (min === null || max === null || min <= 0) return [0.1, 10];
  if (max / min < 10) return [min / 1.2, max * 1.2];
  return uPlot.rangeLog(min, max, 10, false) as MinMax;
}

/** As wide as its longest number. */
function axisSize(_: uPlot, values: string[] | null): number {
  const longest = Math.max(0, ...(values ?? []).map((v) => v.length));
  return Math.max(34, 12 + longest * 6.4);
}

/** Points are drawn where a line has few of them, which may be a single one. */
function alone(u: uPlot, i: number): boolean {
  let n = 0;
  for (const y of u.data[i] ?? []) if (y != null) n++;
  return n <= 40;
}

function drawMarks(u: uPlot, marks: readonly Mark[], color: string, font: string) {
  if (marks.length === 0) return;
  const { ctx, bbox } = u;
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = color;
  ctx.lineWidth = devicePixelRatio;
  ctx.font = font.replace("11px", `${11 * devicePixelRatio}px`);
  for (const mark of marks) {
    const x = u.valToPos(mark.x, "x", true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.fillText(mark.label, x + 3 * devicePixelRatio, bbox.top + 10 * devicePixelRatio);
  }
  ctx.restore();
}

/** What a key does; whether it did anything. */
function byKey(
  u: uPlot,
  e: KeyboardEvent,
  zoom: (r: Range | undefined) => void,
  range: Range | undefined,
): boolean {
  const xs = u.data[0];
  if (xs.length === 0 || e.ctrlKey || e.metaKey || e.altKey) return false;
  const here = u.cursor.idx ?? -1;
  const [min, max] = [u.scales["x"]?.min ?? 0, u.scales["x"]?.max ?? 1];
  // What is pointed at stays in sight, where only a part of it is.
  const first = Math.max(
    0,
    xs.findIndex((x) => x >= min),
  );
  const last = Math.max(
    first,
    xs.findLastIndex((x) => x <= max),
  );
  const point = (i: number) => {
    const x = xs[Math.min(last, Math.max(first, i))] ?? 0;
    u.setCursor({ left: u.valToPos(x, "x"), top: u.over.clientHeight / 2 });
    return true;
  };
  const step = e.shiftKey ? Math.max(1, Math.round(xs.length / 20)) : 1;
  switch (e.key) {
    case "ArrowRight":
      return point(here + step);
    case "ArrowLeft":
      return point(here < 0 ? last : here - step);
    case "Home":
      return point(first);
    case "End":
      return point(last);
    case "+":
    case "=": {
      const mid = here >= 0 ? (xs[here] ?? (min + max) / 2) : (min + max) / 2;
      const half = (max - min) / 4;
      zoom([Math.max(min, mid - half), Math.min(max, mid + half)]);
      return true;
    }
    case "-":
      if (!range) return false;
      zoom([range[0] - (range[1] - range[0]) / 2, range[1] + (range[1] - range[0]) / 2]);
      return true;
    case "0":
    case "Escape":
      if (!range) return false;
      zoom(undefined);
      return true;
    default:
      return false;
  }
}

interface ReadoutHandle {
  show: (u: uPlot) => void;
  renew: () => void;
  text: () => string;
}

interface ReadoutProps {
  ref: Ref<ReadoutHandle>;
  plot: { current: uPlot | null };
  newest: { current: Newest };
  time: boolean | "stream";
}

interface Reading {
  x: string;
  right: boolean;
  rows: { label: string; color: number; text: string }[];
  more: number;
}

/** How many lines are read out at once: those nearest to the pointer. */
const READ = 10;

/** The values where the reader points. It draws itself, so that the chart need not. */
function Readout({ ref, plot, newest, time }: ReadoutProps) {
  const [reading, setReading] = useState<Reading>();
  const read = (u: uPlot): Reading | undefined => {
    const i = u.cursor.idx;
    const x = i == null ? undefined : u.data[0][i];
    if (i == null || x === undefined || (u.cursor.left ?? -1) < 0) return undefined;
    const { shown, formatX, formatY } = newest.current;
    let column = 0;
    const all = shown.flatMap((line) => {
      column += columnsOf(line).length;
      const y = u.data[column] ?? [];
      const near = nearest(y, i);
      const v = near < 0 ? undefined : y[near];
      if (typeof v !== "number") return [];
      const off = Math.abs(u.valToPos(v, "y") - (u.cursor.top ?? 0));
      return [{ label: line.label, color: line.color, v, off }];
    });
    const nearby = [...all].sort((a, b) => a.off - b.off).slice(0, READ);
    return {
      x: formatX ? formatX(x) : time === "stream" ? utc(x) : time ? absolute(x) : value(x, 6),
      right: (u.cursor.left ?? 0) < u.over.clientWidth / 2,
      rows: nearby
        .sort((a, b) => b.v - a.v)
        .map(({ label, color, v }) => ({ label, color, text: formatY(v) })),
      more: all.length - nearby.length,
    };
  };
  useImperativeHandle(ref, () => ({
    show: (u) => setReading(read(u)),
    renew: () => {
      if (plot.current) setReading(read(plot.current));
    },
    text: () => {
      const now = plot.current ? read(plot.current) : undefined;
      return now ? `${now.x}: ${now.rows.map((r) => `${r.label} ${r.text}`).join(", ")}` : "";
    },
  }));
  if (!reading) return null;
  return (
    <div className={css.readout} data-right={reading.right || undefined} aria-hidden>
      <div className={css.readoutX}>{reading.x}</div>
      {reading.rows.map((row) => (
        <div key={row.label} className={css.readoutRow}>
          <Swatch n={row.color} />
          <span className={css.readoutLabel}>{row.label}</span>
          <b>{row.text}</b>
        </div>
      ))}
      {reading.more > 0 && <div className={css.readoutX}>and {reading.more} more</div>}
    </div>
  );
}

interface LegendProps {
  lines: readonly Line[];
  hidden: ReadonlySet<string>;
  onToggle: (label: string) => void;
}

function Legend({ lines, hidden, onToggle }: LegendProps) {
  return (
    <ul className={css.legend} aria-label="Lines">
      {lines.map((line, i) => (
        <li key={line.label}>
          <button
            type="button"
            className={css.legendItem}
            aria-pressed={!hidden.has(line.label)}
            onClick={() => onToggle(line.label)}
          >
            <Swatch n={line.color ?? i + 1} />
            <span className={css.legendLabel}>{line.label}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}

interface LineTableProps {
  label: string;
  /** What x is, such as "step". */
  x: string;
  shared?: readonly number[];
  lines: readonly Line[];
  formatX?: (x: number) => string;
  formatY?: (y: number) => string;
}

/** The table behind a chart of lines. */
export function LineTable({
  label,
  x,
  shared = NO_X,
  lines,
  formatX = (v) => value(v, 6),
  formatY = value,
}: LineTableProps) {
  return (
    <DataTable
      label={label}
      rows={rowsOf(shared, lines)}
      rowKey={(row) => String(row.x)}
      columns={[
        { id: "x", head: x, cell: (row) => formatX(row.x), sort: (row) => row.x },
        ...lines.map((line, i) => ({
          id: String(i),
          head: line.label,
          numeric: true,
          cell: (row: { values: (number | null | undefined)[] }) => {
            const v = row.values[i];
            return v === undefined ? "" : v === null ? UNKNOWN : formatY(v);
          },
        })),
      ]}
    />
  );
}
