import { useComputedColorScheme } from "@mantine/core";
import {
  useEffect,
  useId,
  useMemo,
  useRef,
  useState,
  type KeyboardEvent,
  type PointerEvent,
} from "react";
import type { Zoom } from "../../charts/Board";
import { place, type TimeFrame } from "../../charts/timeframe";
import type { DriftHistory } from "../../data/monitoring";
import unseen from "../../components/unseen.module.css";
import css from "./Heat.module.css";
import { cellOf, readPalette, shade, step, stretchText, tell, type HeatCell } from "./cells";

/** A place in the map. */
export interface HeatPlace {
  row: number;
  column: number;
}

interface HeatProps {
  frame: TimeFrame;
  history: DriftHistory;
  chosen: HeatPlace | undefined;
  onChoose: (at: HeatPlace) => void;
  onZoom?: Zoom | undefined;
}

const ROW = 20;

/**
 * How far each feature was from its reference in each window. The cells are painted, so
 * that twenty thousand of them follow the pointer; a reader of the screen gets the cell
 * that has the focus, which all keys of a grid move.
 */
export function Heat({ frame, history, chosen, onChoose, onZoom }: HeatProps) {
  const [at, setAt] = useState<HeatPlace>();
  const [tip, setTip] = useState(false);
  const id = useId();
  const rows = history.features.length;
  const columns = history.stretches.length;
  const { from, to, width } = frame;
  const edges = useMemo(
    () =>
      history.stretches.map(
        (s) =>
          [
            place({ from, to, width }, Date.parse(s.from)),
            place({ from, to, width }, Date.parse(s.to)),
          ] as const,
      ),
    [history.stretches, from, to, width],
  );
  const go = (next: HeatPlace | undefined) =>
    setAt((now) => (now?.row === next?.row && now?.column === next?.column ? now : next));
  const under = (e: PointerEvent<HTMLDivElement>): HeatPlace | undefined => {
    const box = e.currentTarget.getBoundingClientRect();
    const x = e.clientX - box.left;
    const row = Math.floor((e.clientY - box.top) / ROW);
    const column = edges.findLastIndex(([a]) => a <= x);
    const end = edges[column]?.[1];
    return row >= 0 && row < rows && end !== undefined && x <= end ? { row, column } : undefined;
  };
  const key = (e: KeyboardEvent) => {
    const now = at ?? chosen ?? { row: 0, column: columns - 1 };
    if (e.key === "Enter" || e.key === " ") {
      e.preventDefault();
      onChoose(now);
      return;
    }
    if (e.key === "Escape") setTip(false);
    const zoom = { "+": 0.25, "=": 0.25, "-": 1 }[e.key];
    const middle = history.stretches[now.column];
    if (zoom && middle && onZoom) {
      const center = (Date.parse(middle.from) + Date.parse(middle.to)) / 2;
      onZoom(center - zoom * (to - from), center + zoom * (to - from));
    }
    const next = step(e.key, now, rows, columns);
    if (next === undefined) return;
    e.preventDefault();
    setAt(next);
    setTip(true);
  };
  const cell = at ?? chosen;
  const track = cell && history.features[cell.row];
  const stretch = cell && history.stretches[cell.column];
  return (
    <div className={css.frame}>
      <div className={css.names} aria-hidden>
        {history.features.map((f) => (
          <div key={f.name} className={css.name} title={f.name}>
            {f.name === PREDICTION ? <span className={css.own}>prediction</span> : f.name}
          </div>
        ))}
      </div>
      <div
        role="grid"
        tabIndex={0}
        aria-label={`Drift of each feature in each window; arrow keys move, Enter shows the distribution${onZoom ? ", + and − zoom" : ""}`}
        aria-rowcount={rows}
        aria-colcount={columns}
        aria-activedescendant={cell ? id : undefined}
        className={css.grid}
        onPointerMove={(e) => {
          go(under(e));
          setTip(true);
        }}
        onPointerLeave={() => {
          setAt(undefined);
          setTip(false);
        }}
        onClick={(e) => {
          const where = under(e as PointerEvent<HTMLDivElement>);
          if (where) onChoose(where);
        }}
        onKeyDown={key}
        onFocus={() => setAt((now) => now ?? chosen ?? { row: 0, column: columns - 1 })}
        onBlur={() => {
          setAt(undefined);
          setTip(false);
        }}
      >
        <Painting history={history} edges={edges} width={frame.width} />
        {chosen && <Box at={chosen} edges={edges} className={css.chosen ?? ""} />}
        {at && <Box at={at} edges={edges} className={css.at ?? ""} />}
        {cell && track && stretch && (
          <div className={unseen.always} role="row" aria-rowindex={cell.row + 1}>
            <div
              id={id}
              role="gridcell"
              aria-colindex={cell.column + 1}
              aria-selected={chosen?.row === cell.row && chosen.column === cell.column}
            >
              {`${track.name}, ${stretchText(stretch)}, version ${stretch.worst.version}: ${tell(cellOf(track, cell.column))}`}
            </div>
          </div>
        )}
        {tip && at && <Tip at={at} history={history} edges={edges} width={frame.width} />}
      </div>
    </div>
  );
}

/** The name under which a version's own answers are watched. */
const PREDICTION = "prediction";

type Edges = (readonly [number, number])[];

function Painting(props: { history: DriftHistory; edges: Edges; width: number }) {
  const { history, edges, width } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const scheme = useComputedColorScheme();
  const height = history.features.length * ROW;
  useEffect(() => {
    const at = canvas.current;
    const pen = at?.getContext("2d");
    if (!at || !pen) return;
    const scale = window.devicePixelRatio || 1;
    at.width = Math.round(width * scale);
    at.height = Math.round(height * scale);
    pen.scale(scale, scale);
    const palette = readPalette(getComputedStyle(at));
    history.features.forEach((track, row) => {
      edges.forEach(([a, b], column) => {
        const cell = cellOf(track, column);
        const gap = b - a > 4 ? 1 : 0;
        pen.fillStyle = shade(palette, cell);
        pen.fillRect(a, row * ROW, b - a - gap, ROW - 1);
        if (cell.red) mark(pen, a, b - gap, row * ROW, palette.mark);
      });
    });
  }, [history, edges, width, height, scheme]);
  return <canvas ref={canvas} style={{ width, height }} aria-hidden />;
}

/** The sign of a red cell beside its colour: a dot, or a line where there is no room. */
function mark(pen: CanvasRenderingContext2D, a: number, b: number, top: number, colour: string) {
  pen.fillStyle = colour;
  if (b - a < 6) {
    pen.fillRect(a, top + ROW / 2 - 2, b - a, 3);
    return;
  }
  pen.beginPath();
  pen.arc((a + b) / 2, top + ROW / 2 - 0.5, 2.3, 0, 2 * Math.PI);
  pen.fill();
}

function Box({ at, edges, className }: { at: HeatPlace; edges: Edges; className: string }) {
  const [a = 0, b = 0] = edges[at.column] ?? [];
  const style = {
    left: a - 1,
    width: Math.max(4, b - a + 1),
    top: at.row * ROW - 1,
    height: ROW + 1,
  };
  return <div className={className} style={style} />;
}

function Tip(props: { at: HeatPlace; history: DriftHistory; edges: Edges; width: number }) {
  const { at, history, edges, width } = props;
  const track = history.features[at.row];
  const stretch = history.stretches[at.column];
  const [a = 0, b = 0] = edges[at.column] ?? [];
  if (!track || !stretch) return null;
  const cell: HeatCell = cellOf(track, at.column);
  const right = a > width / 2;
  const side = right ? { right: width - a + 8 } : { left: b + 8 };
  return (
    <div className={css.tip} style={{ ...side, top: Math.max(0, at.row * ROW - 14) }} aria-hidden>
      <strong>{track.name}</strong> {tell(cell)}
      <br />
      {stretchText(stretch)}, version {stretch.worst.version}
      {stretch.windows > 1 && (
        <>
          <br />
          the worst of {stretch.windows} windows
        </>
      )}
    </div>
  );
}

/** What the colours mean. */
export function HeatLegend() {
  return (
    <div className={css.legend}>
      <span className={css.key}>
        0 <span className={css.ramp} aria-hidden /> the feature's limit
      </span>
      <span className={css.key}>
        <span className={css.over} aria-hidden /> beyond its limit
      </span>
      <span className={css.key}>
        <span className={css.blank} aria-hidden /> not judged
      </span>
    </div>
  );
}
