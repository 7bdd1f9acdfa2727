import { useElementSize } from "@mantine/hooks";
import { useId, useRef, type PointerEvent, type ReactNode } from "react";
import type { Tone } from "../components/Badge";
import css from "./Board.module.css";
import { period, place, ticks, type TimeFrame } from "./timeframe";

interface BoardProps {
  /** Milliseconds since 1970. */
  from: number;
  to: number;
  /** Whose clock the axis shows, such as "event time, UTC". */
  clock: string;
  /** Lanes, drawn once there is a width. */
  children: (frame: TimeFrame) => ReactNode;
}

/** Lanes one below the other over one axis of time, with a hair line through all of them. */
export function Board({ from, to, clock, children }: BoardProps) {
  const { ref, width } = useElementSize<HTMLDivElement>();
  const hair = useRef<HTMLDivElement>(null);
  const frame = { from, to, width };
  const move = (e: PointerEvent<HTMLDivElement>) => {
    if (!hair.current) return;
    const box = e.currentTarget.getBoundingClientRect();
    const x = e.clientX - box.left;
    const inside = x > box.width - width;
    hair.current.style.visibility = inside ? "visible" : "hidden";
    hair.current.style.transform = `translateX(${x}px)`;
  };
  const leave = () => {
    if (hair.current) hair.current.style.visibility = "hidden";
  };
  return (
    <div className={css.board} onPointerMove={move} onPointerLeave={leave}>
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
        {all.map((t) => {
          const x = place(frame, t.at);
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
    title: string;
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
                title={`${s.label}, ${period(s.from, s.to)}`}
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
