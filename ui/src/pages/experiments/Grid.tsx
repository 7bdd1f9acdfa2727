import { useVirtualizer, type VirtualItem } from "@tanstack/react-virtual";
import { useElementScrollRestoration } from "@tanstack/react-router";
import { ArrowDown, ArrowUp } from "lucide-react";
import {
  memo,
  useEffect,
  useId,
  useMemo,
  useRef,
  useState,
  type KeyboardEvent,
  type MouseEvent,
  type PointerEvent,
  type ReactNode,
} from "react";
import css from "./Grid.module.css";
import { Tick } from "./cells";
import { MAX_WIDTH, MIN_WIDTH } from "./view";

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

interface GridProps<R extends GridRow> {
  label: string;
  /** Whether all rows are selected. */
  whole: boolean;
  columns: GridColumn[];
  rows: number;
  row: (index: number) => R | undefined;
  cell: (row: R, column: string) => ReactNode;
  /** What is in sight: rows, and columns that are not pinned. */
  onSight: (rows: readonly [number, number], columns: readonly [number, number]) => void;
  onOpen: (row: R, index: number) => void;
  onToggle: (row: R, index: number) => void;
  onSelect: (row: R, index: number, range: boolean) => void;
  /** The box in the head. */
  onSelectAll: () => void;
  onMenu: (column: GridColumn, head: DOMRect) => void;
  onWidth: (column: string, width: number) => void;
  /** Told of the cell that the keys are at. */
  onCell: (index: number, column: string | undefined) => void;
  /** Stands in place of the rows. */
  children?: ReactNode;
}

const ROW = 32;
const HEAD = 34;
/** The row of the heads, for the keys. */
const HEADS = -1;

/**
 * A table of any number of rows and columns, of which only those in sight are drawn. It is
 * one stop of the Tab key; arrows, Home, End and the Page keys move in it.
 */
export function Grid<R extends GridRow>(props: GridProps<R>) {
  const { columns, rows, onSight, onCell } = props;
  const id = useId();
  const box = useRef<HTMLDivElement>(null);
  const [at, setAt] = useState({ row: 0, column: 0 });
  const [focused, setFocused] = useState(false);
  const pinned = useMemo(() => columns.filter((c) => c.pinned), [columns]);
  const free = useMemo(() => columns.filter((c) => !c.pinned), [columns]);
  const all = useMemo(() => [...pinned, ...free], [pinned, free]);
  const left = leftOf(pinned, pinned.length);
  const back = useElementScrollRestoration({ id: "grid" });
  const vertical = useVirtualizer({
    count: rows,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    initialOffset: back?.scrollY ?? 0,
    overscan: 10,
    scrollPaddingStart: HEAD,
    useFlushSync: false,
  });
  const horizontal = useVirtualizer({
    horizontal: true,
    count: free.length,
    getScrollElement: () => box.current,
    estimateSize: (i) => free[i]?.width ?? 0,
    getItemKey: (i) => free[i]?.id ?? i,
    initialOffset: back?.scrollX ?? 0,
    paddingStart: left,
    scrollPaddingStart: left,
    overscan: 3,
    useFlushSync: false,
  });
  useEffect(() => horizontal.measure(), [free, left, horizontal]);

  const items = vertical.getVirtualItems();
  const across = horizontal.getVirtualItems();
  const [firstRow, lastRow] = [items[0]?.index ?? 0, items.at(-1)?.index ?? 0];
  const [firstColumn, lastColumn] = [across[0]?.index ?? 0, across.at(-1)?.index ?? 0];
  useEffect(() => {
    onSight([firstRow, lastRow], [firstColumn, lastColumn]);
  }, [onSight, firstRow, lastRow, firstColumn, lastColumn]);

  const row = Math.max(HEADS, Math.min(at.row, rows - 1));
  const column = Math.max(0, Math.min(at.column, all.length - 1));
  const current = row >= 0 ? props.row(row) : undefined;
  const currentColumn = all[column]?.id;
  useEffect(() => {
    onCell(row, currentColumn);
  }, [onCell, row, currentColumn]);

  const go = (to: { row: number; column: number }) => {
    const r = Math.max(HEADS, Math.min(to.row, rows - 1));
    const c = Math.max(0, Math.min(to.column, all.length - 1));
    setAt({ row: r, column: c });
    if (r >= 0) vertical.scrollToIndex(r);
    if (c >= pinned.length) horizontal.scrollToIndex(c - pinned.length);
  };
  const menu = (c: GridColumn, head: Element) =>
    c.id === "select" ? props.onSelectAll() : props.onMenu(c, head.getBoundingClientRect());
  const onClick = (e: MouseEvent) => {
    const index = placeOf(e, "data-index");
    const act = said(e, "data-act");
    const r = index === undefined ? undefined : props.row(index);
    if (index === undefined || !r) return;
    if (act === "toggle") props.onToggle(r, index);
    else if (act === "open" && !e.ctrlKey && !e.metaKey && !e.shiftKey) {
      e.preventDefault();
      props.onOpen(r, index);
    } else if (act === "select" || (!act && e.shiftKey)) props.onSelect(r, index, e.shiftKey);
  };
  const onMouseDown = (e: MouseEvent) => {
    const [r, c] = [placeOf(e, "data-index"), placeOf(e, "aria-colindex")];
    if (r !== undefined && c !== undefined) setAt({ row: r, column: c - 1 });
    if (e.shiftKey) e.preventDefault(); // no text is selected on the way
  };
  // Both parts of the row that is pointed at, without drawing anything again.
  const point = (index: number | undefined) => {
    for (const part of box.current?.querySelectorAll("[data-pointed]") ?? [])
      part.removeAttribute("data-pointed");
    if (index === undefined) return;
    for (const part of box.current?.querySelectorAll(`[data-index="${index}"]`) ?? [])
      part.setAttribute("data-pointed", "");
  };
  const onKeyDown = (e: KeyboardEvent) => {
    if (e.target !== box.current) return;
    const page = Math.max(1, Math.floor(((box.current?.clientHeight ?? 0) - HEAD) / ROW) - 1);
    const whole = e.ctrlKey || e.metaKey;
    const open = current?.open;
    switch (e.key) {
      case "ArrowDown":
        go({ row: row + 1, column });
        break;
      case "ArrowUp":
        go({ row: row - 1, column });
        break;
      case "ArrowRight":
        if (e.shiftKey) {
          if (current && open === false) props.onToggle(current, row);
        } else go({ row, column: column + 1 });
        break;
      case "ArrowLeft":
        if (e.shiftKey) {
          if (current && open) props.onToggle(current, row);
        } else go({ row, column: column - 1 });
        break;
      case "Home":
        go(whole ? { row: 0, column: 0 } : { row, column: 0 });
        break;
      case "End":
        go(whole ? { row: rows - 1, column: all.length - 1 } : { row, column: all.length - 1 });
        break;
      case "PageDown":
        go({ row: row + page, column });
        break;
      case "PageUp":
        go({ row: Math.max(0, row - page), column });
        break;
      case " ":
        if (current) props.onSelect(current, row, e.shiftKey);
        else if (row === HEADS && currentColumn === "select") props.onSelectAll();
        break;
      case "Enter": {
        const head = all[column];
        if (row === HEADS && head) {
          const cell = document.getElementById(cellId(id, HEADS, head.id));
          if (cell) menu(head, cell);
        } else if (current?.group) props.onToggle(current, row);
        else if (current) props.onOpen(current, row);
        break;
      }
      default:
        return;
    }
    e.preventDefault();
  };

  const width = horizontal.getTotalSize();
  return (
    <div
      ref={box}
      role="grid"
      tabIndex={0}
      className={css.grid}
      aria-label={props.label}
      aria-rowcount={rows + 1}
      aria-colcount={all.length}
      aria-multiselectable
      aria-activedescendant={
        currentColumn && (row < 0 || (row >= firstRow && row <= lastRow))
          ? cellId(id, row, currentColumn)
          : undefined
      }
      data-scroll-restoration-id="grid"
      onClick={onClick}
      onMouseDown={onMouseDown}
      onPointerOver={(e) => point(placeOf(e, "data-index"))}
      onPointerLeave={() => point(undefined)}
      onKeyDown={onKeyDown}
      onFocus={(e) => {
        // What is clicked in a cell leaves the keys to the grid.
        if (e.target !== box.current) box.current?.focus({ preventScroll: true });
        setFocused(true);
      }}
      onBlur={() => setFocused(false)}
    >
      <div role="rowgroup" className={css.heads} style={{ width, height: HEAD }}>
        <div role="row" aria-rowindex={1} className={css.row} style={{ width, height: HEAD }}>
          <div role="presentation" className={css.pinned} style={{ width: left }}>
            {pinned.map((c, i) => (
              <Head
                key={c.id}
                id={cellId(id, HEADS, c.id)}
                column={c}
                index={i}
                left={leftOf(pinned, i)}
                active={focused && row === HEADS && column === i}
                whole={props.whole}
                onMenu={menu}
                onWidth={props.onWidth}
              />
            ))}
          </div>
          {across.map((v) => {
            const c = free[v.index];
            const i = v.index + pinned.length;
            return (
              c && (
                <Head
                  key={c.id}
                  id={cellId(id, HEADS, c.id)}
                  column={c}
                  index={i}
                  left={v.start}
                  active={focused && row === HEADS && column === i}
                  onMenu={menu}
                  onWidth={props.onWidth}
                />
              )
            );
          })}
        </div>
      </div>
      {props.children ? (
        <div role="rowgroup">
          <div role="row">
            <div role="gridcell" className={css.instead}>
              {props.children}
            </div>
          </div>
        </div>
      ) : (
        <div
          role="rowgroup"
          className={css.body}
          style={{ width, height: vertical.getTotalSize() }}
        >
          <div role="presentation" className={css.pins} style={{ width: left }}>
            {items.map((v) => (
              <Pins
                key={v.index}
                grid={id}
                index={v.index}
                top={v.start}
                row={props.row(v.index)}
                pinned={pinned}
                active={focused && row === v.index ? column : undefined}
                cell={props.cell}
              />
            ))}
          </div>
          {items.map((v) => (
            <Row
              key={v.index}
              grid={id}
              index={v.index}
              top={v.start}
              width={width}
              row={props.row(v.index)}
              pinned={pinned}
              free={free}
              across={across}
              active={focused && row === v.index ? column : undefined}
              cell={props.cell}
            />
          ))}
        </div>
      )}
    </div>
  );
}

/** What the nearest element around a click says. */
const said = (e: MouseEvent, name: string) =>
  (e.target as Element).closest(`[${name}]`)?.getAttribute(name);
const placeOf = (e: MouseEvent, name: string) => {
  const place = said(e, name);
  return place == null ? undefined : Number(place);
};

/** Where a pinned column begins. */
const leftOf = (pinned: GridColumn[], i: number) =>
  pinned.slice(0, i).reduce((sum, c) => sum + c.width, 0);

/** An id has no spaces, as names of columns may. */
const cellId = (grid: string, row: number, column: string) =>
  `${grid}-${row}-${encodeURIComponent(column)}`;

interface HeadProps {
  id: string;
  column: GridColumn;
  index: number;
  left: number;
  active: boolean;
  whole?: boolean;
  onMenu: (column: GridColumn, head: Element) => void;
  onWidth: GridProps<GridRow>["onWidth"];
}

function Head({ id, column, index, left, active, whole, onMenu, onWidth }: HeadProps) {
  const [width, setWidth] = useState<number>();
  const begin = useRef<{ x: number; width: number }>(undefined);
  const drag = (e: PointerEvent) => {
    if (!begin.current) return undefined;
    const w = Math.round(begin.current.width + e.clientX - begin.current.x);
    return Math.max(MIN_WIDTH, Math.min(MAX_WIDTH, w));
  };
  return (
    <div
      id={id}
      role="columnheader"
      aria-colindex={index + 1}
      aria-sort={
        column.sorted === "up" ? "ascending" : column.sorted === "down" ? "descending" : "none"
      }
      data-active={active || undefined}
      data-numeric={column.numeric || undefined}
      className={css.head}
      style={{ left, width: width ?? column.width }}
      title={column.head}
      onClick={(e) => onMenu(column, e.currentTarget)}
    >
      {column.id === "select" ? (
        <Tick label={column.head} checked={whole ?? false} />
      ) : (
        <span className={css.headText}>{column.head}</span>
      )}
      {column.note && <span className={css.note}>{column.note}</span>}
      {column.sorted === "up" && <ArrowUp size={12} aria-hidden />}
      {column.sorted === "down" && <ArrowDown size={12} aria-hidden />}
      <span
        className={css.resize}
        aria-hidden
        onClick={(e) => e.stopPropagation()}
        onPointerDown={(e) => {
          e.currentTarget.setPointerCapture(e.pointerId);
          begin.current = { x: e.clientX, width: column.width };
        }}
        onPointerMove={(e) => {
          const w = drag(e);
          if (w !== undefined) setWidth(w);
        }}
        onPointerUp={(e) => {
          const w = drag(e);
          begin.current = undefined;
          setWidth(undefined);
          if (w !== undefined && w !== column.width) onWidth(column.id, w);
        }}
      />
    </div>
  );
}

interface PinsProps<R extends GridRow> {
  grid: string;
  index: number;
  top: number;
  row: R | undefined;
  pinned: GridColumn[];
  /** The column of the cell that the keys are at, where it is in this row. */
  active: number | undefined;
  cell: GridProps<R>["cell"];
}

/**
 * The pinned cells of a row. Those of all rows stand in one box that stays while columns
 * scroll: were it one box for each row, the browser would have to lay that many layers
 * over each other in every frame.
 */
const Pins = memo(DrawnPins, alike) as typeof DrawnPins;

function DrawnPins<R extends GridRow>({ index, row, pinned, ...rest }: PinsProps<R>) {
  return (
    <div
      role="presentation"
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
const Row = memo(DrawnRow, (a, b) => {
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
  cell: GridProps<R>["cell"];
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
