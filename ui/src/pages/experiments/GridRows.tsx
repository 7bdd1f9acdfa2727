import type { VirtualItem } from "@tanstack/react-virtual";
import { memo, type ReactNode } from "react";
import css from "./Grid.module.css";

/** A column of a grid. */
export interface GridColumn {
  id: string;
  head: string;
  /** What its cells are, where the head alone does not say so. */
  note?: string;
  width: number;
  pinned: boolean;
  numeric: boolean;
  sorted?: "up" | "down";
}

/** What a grid needs to know of a row that is in sight; nothing while it loads. */
export interface GridRow {
  key: string;
  depth: number;
  selected: boolean;
  /** Whether rows below it are in sight; undefined where there are none. */
  open?: boolean;
  /** Looks like a head of what follows. */
  group?: boolean;
}

/** The height of a row, in CSS pixels. */
export const ROW = 32;
/** The row of the heads, for the keys. */
export const HEADS = -1;

/** Where a pinned column begins. */
export const leftOf = (pinned: GridColumn[], i: number) =>
  pinned.slice(0, i).reduce((sum, c) => sum + c.width, 0);

/** An id has no spaces, as names of columns may. */
export const cellId = (grid: string, row: number, column: string) =>
  `${grid}-${row}-${encodeURIComponent(column)}`;

interface PinsProps<R extends GridRow> {
  grid: string;
  index: number;
  top: number;
  row: R | undefined;
  pinned: GridColumn[];
  /** The column of the cell that the keys are at, where it is in this row. */
  active: number | undefined;
  cell: (row: R, column: string) => ReactNode;
}

/**
 * The pinned cells of a row. Those of all rows stand in one box that stays while columns
 * scroll: were it one box for each row, the browser would have to lay that many layers
 * over each other in every frame.
 */
export const Pins = memo(DrawnPins, alike) as typeof DrawnPins;

function DrawnPins<R extends GridRow>({ index, row, pinned, ...rest }: PinsProps<R>) {
  return (
    <div
      data-index={index}
      data-selected={(row && !row.group && row.selected) || undefined}
      data-group={row?.group || undefined}
      className={css.row}
      style={{ top: rest.top, width: "100%", height: ROW }}
    >
      {pinned.map((c, i) => (
        <Cell
          key={c.id}
          grid={rest.grid}
          index={index}
          row={row}
          column={c}
          at={i}
          left={leftOf(pinned, i)}
          active={rest.active === i}
          cell={rest.cell}
        />
      ))}
    </div>
  );
}

interface RowProps<R extends GridRow> extends PinsProps<R> {
  width: number;
  free: GridColumn[];
  across: VirtualItem[];
}

/** Nothing of a row is drawn again while it scrolls: only a change of what it shows counts. */
export const Row = memo(DrawnRow, (a, b) => {
  const { across: from, ...rest } = a;
  const { across: to, ...others } = b;
  return (
    alike(rest, others) &&
    from.length === to.length &&
    from.every((v, i) => v.index === to[i]?.index && v.start === to[i].start)
  );
}) as typeof DrawnRow;

function DrawnRow<R extends GridRow>(props: RowProps<R>) {
  const { grid, index, row, pinned, free } = props;
  return (
    <div
      role="row"
      aria-rowindex={index + 2}
      aria-owns={pinned.map((c) => cellId(grid, index, c.id)).join(" ")}
      aria-selected={row && !row.group ? row.selected : undefined}
      aria-busy={row ? undefined : true}
      data-index={index}
      data-selected={(row && !row.group && row.selected) || undefined}
      data-group={row?.group || undefined}
      className={css.row}
      style={{ top: props.top, width: props.width, height: ROW }}
    >
      {props.across.map((v) => {
        const c = free[v.index];
        const at = v.index + pinned.length;
        return (
          c && (
            <Cell
              key={c.id}
              grid={grid}
              index={index}
              row={row}
              column={c}
              at={at}
              left={v.start}
              active={props.active === at}
              cell={props.cell}
            />
          )
        );
      })}
    </div>
  );
}

interface CellProps<R extends GridRow> {
  grid: string;
  index: number;
  row: R | undefined;
  column: GridColumn;
  at: number;
  left: number;
  active: boolean;
  cell: (row: R, column: string) => ReactNode;
}

/** What stays in sight while other columns come is not drawn again. */
const Cell = memo(DrawnCell, alike) as typeof DrawnCell;

function DrawnCell<R extends GridRow>(props: CellProps<R>) {
  const { column: c, row } = props;
  return (
    <div
      id={cellId(props.grid, props.index, c.id)}
      role="gridcell"
      aria-colindex={props.at + 1}
      data-active={props.active || undefined}
      data-numeric={c.numeric || undefined}
      className={css.cell}
      style={{ left: props.left, width: c.width }}
    >
      {row ? props.cell(row, c.id) : <span className={css.bone} />}
    </div>
  );
}

/** Whether two rows say the same and all else is the same. */
function alike<P extends { row: GridRow | undefined }>(a: P, b: P): boolean {
  const { row: x, ...rest } = a;
  const { row: y, ...others } = b;
  return same(x, y) && same(rest, others);
}

function same(a: object | undefined, b: object | undefined): boolean {
  if (a === b || a === undefined || b === undefined) return a === b;
  const x = Object.entries(a);
  return x.length === Object.keys(b).length && x.every(([k, v]) => v === Reflect.get(b, k));
}
