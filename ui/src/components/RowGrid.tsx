import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useEffectEvent, useRef, useState, type KeyboardEvent } from "react";
import css from "./RowGrid.module.css";

/** A column of rows: its name and what its values are. */
export interface GridColumn {
  name: string;
  type: string;
}

interface RowGridProps {
  /** What the rows are, for who cannot see them. */
  label: string;
  columns: readonly GridColumn[];
  count: number;
  /** A row's values; undefined while they are on their way. */
  row: (i: number) => readonly unknown[] | undefined;
  /** Which rows are in sight, or nearly. */
  onRange?: (first: number, last: number) => void;
}

/** CSS pixels; the grid is as high as its rows at most. */
const HEIGHT = 520;
const ROW = 27;
const HEAD = 44;
const numeric = /^(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|BIGNUM|DECIMAL.*|DOUBLE|FLOAT|double|long)/;

/** Rows as a grid, up to a million, of which those in sight are drawn. Arrows move in it; Ctrl+C copies. */
export function RowGrid({ label, columns, count, row, onRange }: RowGridProps) {
  const box = useRef<HTMLDivElement>(null);
  const [at, setAt] = useState({ row: 0, column: 0 });
  const rows = useVirtualizer({
    count,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: 12,
    paddingStart: HEAD,
    scrollPaddingStart: HEAD,
    initialRect: { width: 800, height: HEIGHT },
  });
  const shown = rows.getVirtualItems();
  const [first, last] = [shown[0]?.index ?? 0, shown[shown.length - 1]?.index ?? 0];
  const tell = useEffectEvent((a: number, b: number) => onRange?.(a, b));
  useEffect(() => {
    if (count > 0) tell(first, last);
  }, [first, last, count]);

  // Columns grow with what comes into sight, and never shrink under the reader's eyes.
  const [kept, setKept] = useState<{ of: typeof columns; widths: number[] }>({
    of: [],
    widths: [],
  });
  const before = kept.of === columns ? kept.widths : [];
  const widths = columns.map((c, i) =>
    Math.max(
      before[i] ?? 0,
      widthOf(
        c,
        shown.map((v) => row(v.index)?.[i]),
      ),
    ),
  );
  if (widths.some((w, i) => w !== before[i])) setKept({ of: columns, widths });
  const across = useVirtualizer({
    horizontal: true,
    count: columns.length,
    getScrollElement: () => box.current,
    estimateSize: (i) => widths[i] ?? 0,
    overscan: 3,
    initialRect: { width: 1440, height: HEIGHT },
  });
  const sizes = widths.join();
  const measure = useEffectEvent(() => across.measure());
  useEffect(() => measure(), [sizes]);
  const inSight = across.getVirtualItems().map((v) => v.index);

  const move = (e: KeyboardEvent) => {
    if (e.key === "c" && (e.ctrlKey || e.metaKey) && getSelection()?.isCollapsed !== false) {
      const value = row(at.row)?.[at.column];
      const type = columns[at.column]?.type ?? "";
      void navigator.clipboard.writeText(value == null ? "" : show(type, value));
      return;
    }
    const page = Math.max(1, Math.floor((HEIGHT - HEAD) / ROW) - 1);
    const steps: Record<string, [number, number]> = {
      ArrowDown: [1, 0],
      ArrowUp: [-1, 0],
      PageDown: [page, 0],
      PageUp: [-page, 0],
      ArrowRight: [0, 1],
      ArrowLeft: [0, -1],
      Home: [e.ctrlKey ? -count : 0, -columns.length],
      End: [e.ctrlKey ? count : 0, columns.length],
    };
    const step = steps[e.key];
    if (!step) return;
    e.preventDefault();
    const next = {
      row: Math.min(Math.max(0, at.row + step[0]), count - 1),
      column: Math.min(Math.max(0, at.column + step[1]), columns.length - 1),
    };
    setAt(next);
    rows.scrollToIndex(next.row);
    const left = widths.slice(0, next.column).reduce((a, b) => a + b, 0);
    const width = widths[next.column] ?? 0;
    const view = box.current;
    if (!view) return;
    if (left < view.scrollLeft) view.scrollLeft = left;
    if (left + width > view.scrollLeft + view.clientWidth)
      view.scrollLeft = left + width - view.clientWidth;
  };

  const template = widths.map((w) => `${w}px`).join(" ");
  const id = (r: number, c: number) => `${label.replace(/\W+/g, "-")}-${r}-${c}`;
  return (
    <div
      ref={box}
      role="grid"
      aria-label={label}
      aria-rowcount={count + 1}
      aria-colcount={columns.length}
      aria-activedescendant={
        at.row >= first && at.row <= last && count > 0 ? id(at.row, at.column) : undefined
      }
      tabIndex={0}
      className={css.box}
      style={{ height: Math.min(HEIGHT, HEAD + count * ROW + 18) }}
      onKeyDown={move}
    >
      <div
        role="rowgroup"
        className={css.all}
        style={{ height: rows.getTotalSize(), width: widths.reduce((a, b) => a + b, 0) }}
      >
        <div
          role="row"
          aria-rowindex={1}
          className={css.head}
          style={{ gridTemplateColumns: template }}
        >
          {inSight.map((i) => {
            const { name = "", type = "" } = columns[i] ?? {};
            return (
              <div
                key={i}
                role="columnheader"
                aria-colindex={i + 1}
                className={numeric.test(type) ? css.number : ""}
                style={{ gridColumn: i + 1 }}
              >
                <span className={css.name}>{name}</span>
                <span className={css.type}>{kind(type)}</span>
              </div>
            );
          })}
        </div>
        {shown.map((item) => {
          const values = row(item.index);
          return (
            <div
              key={item.key}
              role="row"
              aria-rowindex={item.index + 2}
              className={css.row}
              style={{ transform: `translateY(${item.start}px)`, gridTemplateColumns: template }}
            >
              {inSight.map((i) => (
                <Cell
                  key={i}
                  id={id(item.index, i)}
                  index={i}
                  type={columns[i]?.type ?? ""}
                  value={values?.[i]}
                  coming={values === undefined}
                  current={at.row === item.index && at.column === i}
                  onPoint={() => setAt({ row: item.index, column: i })}
                />
              ))}
            </div>
          );
        })}
      </div>
    </div>
  );
}

interface CellProps {
  id: string;
  index: number;
  type: string;
  value: unknown;
  coming: boolean;
  current: boolean;
  onPoint: () => void;
}

function Cell({ id, index, type, value, coming, current, onPoint }: CellProps) {
  const missing = value === null || value === undefined;
  const text = coming ? "" : missing ? "null" : show(type, value);
  return (
    <div
      id={id}
      role="gridcell"
      aria-colindex={index + 1}
      className={[css.cell, numeric.test(type) ? css.number : "", missing ? css.missing : ""].join(
        " ",
      )}
      style={{ gridColumn: index + 1 }}
      data-current={current || undefined}
      title={text.length > 24 ? text : undefined}
      onClick={onPoint}
    >
      {coming ? <span className={css.coming} /> : text}
    </div>
  );
}

/** What a column's values are; times have no zone but this one. */
function kind(type: string): string {
  const name = type.toLowerCase();
  return /^(timestamptz|timestamp with|datetime)/.test(name) ? `${name}, UTC` : name;
}

/** A value as it is shown: whole, times without the T and the Z. */
function show(type: string, value: unknown): string {
  if (typeof value === "string")
    return /^(timestamp|datetime)/i.test(type) ? value.replace("T", " ").replace(/Z$/, "") : value;
  if (typeof value === "number") return String(value).replace(/^-/, "−");
  if (typeof value === "boolean") return String(value);
  return JSON.stringify(value);
}

/** Wide enough for the head and what is in sight, within reason. */
function widthOf(c: GridColumn, values: readonly unknown[]): number {
  let longest = Math.max(c.name.length * 1.15, kind(c.type).length, 5);
  for (const v of values) {
    if (v !== null && v !== undefined) longest = Math.max(longest, show(c.type, v).length);
  }
  return Math.min(340, Math.ceil(longest * 7.4) + 26);
}
