import { useWidth } from "../components/width";
import { useState } from "react";
import { value } from "../format/number";
import css from "./Scatter.module.css";
import { styleOf } from "./lines";
import { scaleOf } from "./scale";

/** A point of a scatter. */
export interface Point {
  id: string;
  label: string;
  x: number;
  y: number;
  color: number;
}

interface ScatterProps {
  /** What it shows, in a sentence. */
  describe: string;
  points: readonly Point[];
  /** The ids of the points that no other is better than, along x. */
  front: readonly string[];
  nameX: string;
  nameY: string;
  formatX?: (x: number) => string;
  formatY?: (y: number) => string;
  logX?: boolean;
  logY?: boolean;
  onOpen?: (id: string) => void;
}

const HEIGHT = 380;
const LEFT = 64;
const BOTTOM = 42;
const EDGE = 14;

/** Points by two values; a line joins the Pareto front, whose points are filled squares. */
export function Scatter(props: ScatterProps) {
  const { describe, points, front, nameX, nameY, formatX = value, formatY = value } = props;
  const { logX = false, logY = false, onOpen } = props;
  const { ref, width } = useWidth();
  const [pointed, point] = useState<string>();
  const across = scaleOf(
    points.map((p) => p.x),
    logX,
    Math.max(2, Math.round(width / 140)),
  );
  const up = scaleOf(
    points.map((p) => p.y),
    logY,
  );
  const x = (v: number) => LEFT + across.at(v) * (width - LEFT - EDGE);
  const y = (v: number) => HEIGHT - BOTTOM - up.at(v) * (HEIGHT - BOTTOM - EDGE);
  const shown = points.filter((p) => Number.isFinite(x(p.x)) && Number.isFinite(y(p.y)));
  const best = front.flatMap((id) => shown.find((p) => p.id === id) ?? []);
  const now = shown.find((p) => p.id === pointed);
  return (
    <div ref={ref} className={css.box}>
      {width > 0 && (
        <svg width={width} height={HEIGHT} role="group" aria-label={describe}>
          {across.ticks.map((t) => (
            <g key={t} transform={`translate(${x(t)} 0)`}>
              <line y1={EDGE} y2={HEIGHT - BOTTOM} className={css.grid} />
              <text y={HEIGHT - BOTTOM + 15} textAnchor="middle" className={css.tick}>
                {formatX(t)}
              </text>
            </g>
          ))}
          {up.ticks.map((t) => (
            <g key={t} transform={`translate(0 ${y(t)})`}>
              <line x1={LEFT} x2={width - EDGE} className={css.grid} />
              <text x={LEFT - 6} dy="0.32em" textAnchor="end" className={css.tick}>
                {formatY(t)}
              </text>
            </g>
          ))}
          <text
            x={LEFT + (width - LEFT - EDGE) / 2}
            y={HEIGHT - 6}
            textAnchor="middle"
            className={css.name}
          >
            {nameX}
          </text>
          <text
            transform={`translate(12 ${(HEIGHT - BOTTOM) / 2}) rotate(-90)`}
            textAnchor="middle"
            className={css.name}
          >
            {nameY}
          </text>
          <path
            d={best.map((p, i) => `${i > 0 ? "L" : "M"}${x(p.x)} ${y(p.y)}`).join("")}
            className={css.front}
          />
          {best.map((p) => (
            <text
              key={p.id}
              x={x(p.x)}
              y={y(p.y) - 10}
              textAnchor={x(p.x) > width / 2 ? "end" : "start"}
              className={css.tick}
              aria-hidden
            >
              {p.label}
            </text>
          ))}
          {shown.map((p) => (
            <Dot
              key={p.id}
              point={p}
              at={[x(p.x), y(p.y)]}
              best={front.includes(p.id)}
              said={`${p.label}: ${nameX} ${formatX(p.x)}, ${nameY} ${formatY(p.y)}`}
              onPoint={point}
              onOpen={onOpen}
            />
          ))}
        </svg>
      )}
      <p className={css.note} aria-hidden>
        {now
          ? `${now.label} · ${nameX} ${formatX(now.x)} · ${nameY} ${formatY(now.y)}`
          : "Squares are the Pareto front: no other run is better in both."}
      </p>
    </div>
  );
}

interface DotProps {
  point: Point;
  at: readonly [x: number, y: number];
  best: boolean;
  said: string;
  onPoint: (id: string | undefined) => void;
  onOpen: ((id: string) => void) | undefined;
}

function Dot({ point: p, at: [x, y], best, said, onPoint, onOpen }: DotProps) {
  const stroke = `var(${styleOf(p.color).color})`;
  const label = best ? `${said}; on the Pareto front` : said;
  return (
    <g
      className={css.dot}
      transform={`translate(${x} ${y})`}
      tabIndex={0}
      role={onOpen ? "link" : "img"}
      aria-label={label}
      onPointerEnter={() => onPoint(p.id)}
      onPointerLeave={() => onPoint(undefined)}
      onFocus={() => onPoint(p.id)}
      onBlur={() => onPoint(undefined)}
      onClick={() => onOpen?.(p.id)}
      onKeyDown={(e) => {
        if (e.key === "Enter") onOpen?.(p.id);
      }}
    >
      <circle r={12} className={css.reach} />
      {best ? (
        <rect x={-5.5} y={-5.5} width={11} height={11} fill={stroke} stroke={stroke} />
      ) : (
        <circle r={5} fill="var(--f-surface)" stroke={stroke} strokeWidth={2} />
      )}
    </g>
  );
}
