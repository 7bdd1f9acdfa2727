import { useWidth } from "../components/width";
import { useId, useRef, type PointerEvent, type ReactNode, type SyntheticEvent } from "react";
import type { Tone } from "../components/Badge";
import css from "./Board.module.css";
import { period, place, ticks, type TimeFrame } from "./timeframe";

interface BoardProps {
  /** Milliseconds since 1970. */
  from: number;
  to: number;
  /** Whose clock the axis shows, such as "event time, UTC". */
  clock: string;
  /** What to do with a stretch of time that was dragged over; without it none can be. */
  onZoom?: Zoom | undefined;
  /** Lanes, drawn once there is a width. */
  children: (frame: TimeFrame) => ReactNode;
}

/** Takes a stretch of time in milliseconds since 1970. */
export type Zoom = (from: number, to: number) => void;

/** A shorter way is a click. */
const LEAST_DRAG = 6;

/** Lanes one below the other over one axis of time, with a hair line through all of them. */
export function Board({ from, to, clock, onZoom, children }: BoardProps) {
  const { ref, width } = useWidth();
  const hair = useRef<HTMLDivElement>(null);
  /** Where the pointer went down, until it goes up; and whether it has moved from there. */
  const drag = useRef<{ x: number; moved: boolean }>(undefined);
  const frame = { from, to, width };
  /** The place of the pointer in the board, and where the axis begins there. */
  const placeOf = (e: PointerEvent<HTMLDivElement>) => {
    const box = e.currentTarget.getBoundingClientRect();
    return { x: e.clientX - box.left, left: box.width - width };
  };
  const move = (e: PointerEvent<HTMLDivElement>) => {
    if (!hair.current) return;
    const { x, left } = placeOf(e);
    const d = drag.current;
    if (d && !d.moved && Math.abs(x - d.x) > LEAST_DRAG) {
      d.moved = true;
      e.currentTarget.setPointerCapture(e.pointerId); // it may leave the board, and come back
    }
    const start = d?.moved ? Math.max(left, Math.min(x, d.x)) : x;
    const style = hair.current.style;
    style.visibility = x > left || d?.moved ? "visible" : "hidden";
    style.transform = `translateX(${start}px)`;
    style.width = d?.moved ? `${Math.max(x, d.x) - start}px` : "1px";
  };
  const leave = () => {
    drag.current = undefined;
    if (!hair.current) return;
    hair.current.style.visibility = "hidden";
    hair.current.style.width = "1px";
  };
  const up = (e: PointerEvent<HTMLDivElement>) => {
    const d = drag.current;
    if (!d?.moved) {
      drag.current = undefined;
      return;
    }
    const { x, left } = placeOf(e);
    const time = (at: number) =>
      from + (Math.min(width, Math.max(0, at - left)) / width) * (to - from);
    onZoom?.(time(Math.min(x, d.x)), time(Math.max(x, d.x)));
    // The click that follows belongs to the drag, and comes before this does.
    setTimeout(leave);
  };
  const own = (e: SyntheticEvent) => {
    if (!drag.current?.moved) return;
    e.preventDefault();
    e.stopPropagation();
  };
  const dragging = onZoom && {
    onPointerDown: (e: PointerEvent<HTMLDivElement>) => {
      const { x, left } = placeOf(e);
      if (e.button === 0 && x >= left) drag.current = { x, moved: false };
    },
    onPointerUp: up,
    onPointerCancel: leave,
    onClickCapture: own,
    onDragStart: (e: SyntheticEvent) => e.preventDefault(),
  };
  return (
    <div
      className={css.board}
      data-zooms={onZoom ? true : undefined}
      onPointerMove={move}
      onPointerLeave={leave}
      {...dragging}
    >
      <Lane label="">
        <div ref={ref} />
      </Lane>
      {width > 0 && children(frame)}
      {width > 0 && <Axis frame={frame} clock={clock} />}
      <div ref={hair} className={css.hair} aria-hidden />
    </div>
  );
}

/** One row of a board. */
export function Lane({ label, children }: { label: ReactNode; children: ReactNode }) {
  return (
    <div className={css.lane}>
      <div className={css.label}>{label}</div>
      <div className={css.plot}>{children}</div>
    </div>
  );
}

function Axis({ frame, clock }: { frame: TimeFrame; clock: string }) {
  const all = ticks(frame);
  return (
    <Lane label={clock}>
      <svg width={frame.width} height={20} aria-hidden>
        {all.map((t, i) => {
          const x = place(frame, t.at);
          // The last one is moved off the edge, onto the one before where these are close.
          const next = i === all.length - 2 ? all.at(-1) : undefined;
          const room = next && place(frame, next.at) > frame.width - 24 ? 6 * next.label.length : 0;
          if (next && room > 0 && x + 3 * t.label.length + 6 > frame.width - room) return null;
          const edge = x > frame.width - 24 ? "end" : x < 16 ? "start" : "middle";
          return (
            <g key={t.at}>
              <line x1={x} x2={x} y1={0} y2={4} className={css.tick} />
              <text x={x} y={15} textAnchor={edge} className={css.text}>
                {t.label}
              </text>
            </g>
          );
        })}
      </svg>
    </Lane>
  );
}

/** A stretch of time in which one version was live. */
export interface Reign {
  from: number;
  to: number;
  version: number;
}

/** Which version was live when; where one begins is where it went live. */
export function Versions({ frame, reigns }: { frame: TimeFrame; reigns: Reign[] }) {
  const clip = useId();
  return (
    <Lane label="live version">
      <svg width={frame.width} height={22} aria-hidden>
        {reigns.map((r) => {
          const [a, b] = [place(frame, r.from), place(frame, r.to)];
          const id = `${clip}${r.from}`;
          return (
            <g key={r.from}>
              <title>{`version ${r.version}, ${period(r.from, r.to)}`}</title>
              <clipPath id={id}>
                <rect x={a} y={0} width={Math.max(0, b - a - 2)} height={22} />
              </clipPath>
              <rect
                x={a + 0.5}
                y={1.5}
                width={Math.max(1, b - a - 2)}
                height={16}
                rx={3}
                className={css.version}
              />
              <text x={a + 5} y={13.5} clipPath={`url(#${id})`} className={css.versionText}>
                {`v${r.version}`}
              </text>
            </g>
          );
        })}
      </svg>
    </Lane>
  );
}

/** Something that lasted. */
export interface Span {
  key: string;
  from: number;
  to: number;
  label: string;
  /** What is written upon it where the label is too long, and where that is, too. */
  short?: string;
  sign?: string;
  tone: Tone;
  /** Where it is told; the label says what it is. */
  link: (props: {
    className: string;
    style: React.CSSProperties;
    "data-tip": string;
    children: ReactNode;
  }) => ReactNode;
}

/** Things that lasted, each a link to its page; those at the same time stand in rows. */
export function Spans({ frame, label, spans }: { frame: TimeFrame; label: string; spans: Span[] }) {
  const rows = stacked(spans);
  if (rows.length === 0) return null;
  return (
    <Lane label={label}>
      <div style={{ height: rows.length * 18 }}>
        {rows.flatMap((row, i) =>
          row.map((s) => {
            const [a, b] = [place(frame, s.from), place(frame, s.to)];
            const at = Math.min(a, frame.width - 6);
            return (
              <s.link
                key={s.key}
                className={`${css.span} ${css[s.tone]}`}
                style={{ left: at, width: Math.max(5, b - a - 1), top: i * 18 + 2 }}
                data-tip={`${s.label}, ${period(s.from, s.to)}`}
              >
                {written(s, b - a) || <span aria-label={s.label} role="img" />}
              </s.link>
            );
          }),
        )}
      </div>
    </Lane>
  );
}

/** Of the label, its short form and its sign the first that there is room for. */
function written(s: Span, width: number): string {
  const room = (text: string) => text.length * 6 + 10 <= width;
  return [s.label, s.short, s.sign].find((text) => text !== undefined && room(text)) ?? "";
}

/** Puts spans into as few rows as they need without meeting. */
export function stacked<T extends { from: number; to: number }>(spans: T[]): T[][] {
  const rows: T[][] = [];
  for (const s of [...spans].sort((a, b) => a.from - b.from)) {
    const free = rows.find((row) => (row.at(-1)?.to ?? -Infinity) <= s.from);
    if (free) free.push(s);
    else rows.push([s]);
  }
  return rows;
}
