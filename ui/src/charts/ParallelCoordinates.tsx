import { useWidth } from "../components/width";
import { useState, type PointerEvent } from "react";
import { value } from "../format/number";
import css from "./ParallelCoordinates.module.css";
import { styleOf, type Range } from "./lines";
import { scaleOf } from "./scale";

/** An axis with the value of each line on it; undefined where one has none. */
export interface Axis {
  id: string;
  name: string;
  values: readonly (number | string | undefined)[];
  /** Writes a number; texts stand as they are. */
  format?: (x: number) => string;
  log?: boolean;
}

interface ParallelCoordinatesProps {
  /** What it shows, in a sentence. */
  describe: string;
  axes: readonly Axis[];
  lines: readonly { id: string; label: string; color: number }[];
  /** What is kept of the axes, by their ids: from 0 at the bottom to 1. */
  brushes: ReadonlyMap<string, Range>;
  onBrush: (brushes: ReadonlyMap<string, Range>) => void;
}

const HEIGHT = 380;
const TOP = 40;
const BOTTOM = 12;
const SIDE = 70;
/** Below this distance of axes, in pixels, the chart is wider than its box, and scrolls. */
const APART = 110;

/**
 * A line for each run over axes that stand side by side. A drag along an axis keeps the
 * lines that pass there; a click on it lets all pass again. By keys, arrows move what is
 * kept, with Shift they widen or narrow it, and Escape lets all pass again.
 */
export function ParallelCoordinates(props: ParallelCoordinatesProps) {
  const { describe, axes, lines } = props;
  // While one drags, what is kept is the chart's own; it is told when the drag ends.
  const [dragged, drag] = useState<ReadonlyMap<string, Range>>();
  const brushes = dragged ?? props.brushes;
  const { ref, width: room } = useWidth();
  const width = Math.max(room, 2 * SIDE + (axes.length - 1) * APART);
  const [pointed, point] = useState<string>();
  const inner = HEIGHT - TOP - BOTTOM;
  const placed = axes.map((axis, i) => ({
    ...axis,
    ...placesOf(axis),
    x: axes.length === 1 ? width / 2 : SIDE + (i * (width - 2 * SIDE)) / (axes.length - 1),
  }));
  const y = (place: number) => TOP + (1 - place) * inner;
  const passes = (i: number) =>
    placed.every((a) => {
      const brush = brushes.get(a.id);
      const at = a.places[i];
      return !brush || (at !== undefined && at >= brush[0] && at <= brush[1]);
    });
  const withBrush = (id: string, brush: Range | undefined) => {
    const next = new Map(brushes);
    if (brush) next.set(id, brush);
    else next.delete(id);
    return next;
  };
  const kept = lines.filter((_, i) => passes(i));
  const shown = lines.find((l) => l.id === pointed);
  return (
    <div>
      <div ref={ref} className={css.box}>
        {room > 0 && (
          <svg width={width} height={HEIGHT} role="group" aria-label={describe}>
            {lines.map((line, i) => {
              const { color, dash } = styleOf(line.color);
              const path = pathOf(
                placed.map((a) => [a.x, a.places[i]] as const),
                y,
              );
              return (
                <g
                  key={line.id}
                  opacity={passes(i) ? (pointed && pointed !== line.id ? 0.25 : 1) : 0.08}
                >
                  <path
                    d={path}
                    fill="none"
                    stroke={`var(${color})`}
                    strokeWidth={pointed === line.id ? 3 : 1.6}
                    strokeDasharray={dash.join(" ")}
                  />
                  <path
                    d={path}
                    fill="none"
                    stroke="transparent"
                    strokeWidth={12}
                    onPointerEnter={() => point(line.id)}
                    onPointerLeave={() => point(undefined)}
                  />
                </g>
              );
            })}
            {placed.map((a) => (
              <g key={a.id} transform={`translate(${a.x} 0)`}>
                <text y={16} textAnchor="middle" className={css.name}>
                  {clipped(a.name, 18)}
                  <title>{a.name}</title>
                </text>
                <line y1={TOP} y2={HEIGHT - BOTTOM} className={css.axis} />
                {a.ticks.map((t) => (
                  <g key={t.label} transform={`translate(0 ${y(t.at)})`}>
                    <line x1={-4} className={css.axis} />
                    <text x={-7} dy="0.32em" textAnchor="end" className={css.tick}>
                      {clipped(t.label, 10)}
                    </text>
                  </g>
                ))}
                <Brushed
                  name={a.name}
                  brush={brushes.get(a.id)}
                  y={y}
                  place={(py) => 1 - (py - TOP) / inner}
                  onBrush={(brush) => props.onBrush(withBrush(a.id, brush))}
                  onDrag={(brush) => drag(withBrush(a.id, brush))}
                  onDrop={() => {
                    props.onBrush(brushes);
                    drag(undefined);
                  }}
                />
              </g>
            ))}
          </svg>
        )}
      </div>
      <p className={css.note} role="status">
        {shown
          ? shown.label
          : brushes.size > 0
            ? `${kept.length} of ${lines.length} pass: ${kept.map((l) => l.label).join(", ")}`
            : "Drag along an axis, or use the arrow keys on it, to keep the runs that pass there."}
      </p>
    </div>
  );
}

interface BrushedProps {
  name: string;
  brush: Range | undefined;
  y: (place: number) => number;
  place: (y: number) => number;
  onBrush: (brush: Range | undefined) => void;
  /** The same while a pointer draws it, and its end. */
  onDrag: (brush: Range | undefined) => void;
  onDrop: () => void;
}

/** What a key makes of a brush; a tenth of the axis at a time. */
export function brushBy(
  key: string,
  shift: boolean,
  [low, high]: Range = [0, 1],
): Range | undefined {
  const by = { ArrowUp: 0.1, ArrowDown: -0.1 }[key];
  if (by === undefined) return undefined;
  const round = (v: number) => Math.round(Math.min(1, Math.max(0, v)) * 100) / 100;
  if (shift) return [low, Math.max(round(low + 0.1), round(high + by))];
  // The whole axis begins to move as its upper or its lower half.
  if (low === 0 && high === 1) return by > 0 ? [0.5, 1] : [0, 0.5];
  const room = by > 0 ? Math.min(by, 1 - high) : Math.max(by, -low);
  return [round(low + room), round(high + room)];
}

/** Where an axis is dragged along. */
function Brushed({ name, brush, y, place, onBrush, onDrag, onDrop }: BrushedProps) {
  const [begun, begin] = useState<number>();
  const at = (e: PointerEvent<SVGRectElement>) => {
    const box = e.currentTarget.ownerSVGElement?.getBoundingClientRect();
    return Math.min(1, Math.max(0, place(e.clientY - (box?.top ?? 0))));
  };
  return (
    <>
      {brush && (
        <rect
          x={-8}
          width={16}
          y={y(brush[1])}
          height={Math.max(1, y(brush[0]) - y(brush[1]))}
          className={css.brush}
        />
      )}
      <rect
        x={-14}
        width={28}
        y={y(1)}
        height={y(0) - y(1)}
        className={css.grip}
        tabIndex={0}
        role="slider"
        aria-orientation="vertical"
        aria-label={`Runs kept along ${name}`}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round((brush?.[0] ?? 0) * 100)}
        aria-valuetext={
          brush
            ? `from ${Math.round(brush[0] * 100)} % to ${Math.round(brush[1] * 100)} % of the axis`
            : "all"
        }
        onKeyDown={(e) => {
          const next = brushBy(e.key, e.shiftKey, brush);
          if (!next && e.key !== "Escape") return;
          e.preventDefault();
          onBrush(next);
        }}
        onPointerDown={(e) => {
          e.currentTarget.setPointerCapture(e.pointerId);
          begin(at(e));
          onDrag(undefined);
        }}
        onPointerMove={(e) => {
          if (begun === undefined) return;
          const now = at(e);
          if (Math.abs(now - begun) > 0.01) onDrag([Math.min(begun, now), Math.max(begun, now)]);
        }}
        onLostPointerCapture={() => {
          begin(undefined);
          onDrop();
        }}
      />
    </>
  );
}

/** Where values stand on their axis: numbers by size, texts one above the other. */
function placesOf(axis: Axis): {
  places: (number | undefined)[];
  ticks: { at: number; label: string }[];
} {
  const there = axis.values.filter((v) => v !== undefined);
  const numbers = there.filter((v) => typeof v === "number" && Number.isFinite(v));
  if (there.every((v) => typeof v === "number")) {
    const scale = scaleOf(numbers as number[], axis.log);
    const write = axis.format ?? value;
    return {
      places: axis.values.map((v) => {
        const at = typeof v === "number" && Number.isFinite(v) ? scale.at(v) : undefined;
        return at !== undefined && Number.isFinite(at) ? at : undefined;
      }),
      ticks: scale.ticks.map((t) => ({ at: scale.at(t), label: write(t) })),
    };
  }
  const names = [...new Set(there.map(String))].sort();
  const at = (v: string) => (names.indexOf(v) + 0.5) / names.length;
  return {
    places: axis.values.map((v) => (v === undefined ? undefined : at(String(v)))),
    ticks: names.map((n) => ({ at: at(n), label: n })),
  };
}

/** A path through the places; it breaks where a line has none. */
function pathOf(
  points: readonly (readonly [x: number, place: number | undefined])[],
  y: (place: number) => number,
): string {
  let path = "";
  let before = false;
  for (const [x, place] of points) {
    if (place !== undefined) path += `${before ? "L" : "M"}${x.toFixed(1)} ${y(place).toFixed(1)}`;
    before = place !== undefined;
  }
  return path;
}

const clipped = (text: string, n: number) => (text.length > n ? `${text.slice(0, n - 1)}…` : text);
