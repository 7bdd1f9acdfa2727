import { useVirtualizer } from "@tanstack/react-virtual";
import { useElementScrollRestoration } from "@tanstack/react-router";
import {
  useEffect,
  useId,
  useMemo,
  useRef,
  useState,
  type KeyboardEvent,
  type MouseEvent,
  type ReactNode,
} from "react";
import css from "./Grid.module.css";
import { Head } from "./GridHead";
import { cellId, HEADS, leftOf, Pins, ROW, Row, type GridColumn, type GridRow } from "./GridRows";

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

/** The height of the heads, in CSS pixels. */
const HEAD = 34;

/** A cell, by its row and its place among all columns. */
interface Place {
  row: number;
  column: number;
}

/**
 * A table of any number of rows and columns, of which only those in sight are drawn. It is
 * one stop of the Tab key; arrows, Home, End and the Page keys move in it.
 */
export function Grid<R extends GridRow>(props: GridProps<R>) {
  const { columns, rows, onSight, onCell } = props;
  const id = useId();
  const box = useRef<HTMLDivElement>(null);
  const table = useRef<HTMLDivElement>(null);
  const [at, setAt] = useState<Place>({ row: 0, column: 0 });
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

  const go = (to: Place) => {
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
  // What a key does at the cell that it is at; false for a key that does nothing.
  const act = (e: KeyboardEvent): boolean => {
    switch (e.key) {
      case "ArrowRight": // with Shift
        if (current?.open === false) props.onToggle(current, row);
        return true;
      case "ArrowLeft":
        if (current?.open) props.onToggle(current, row);
        return true;
      case " ":
        if (current) props.onSelect(current, row, e.shiftKey);
        else if (row === HEADS && currentColumn === "select") props.onSelectAll();
        return true;
      case "Enter": {
        const head = all[column];
        if (row === HEADS && head) {
          const cell = document.getElementById(cellId(id, HEADS, head.id));
          if (cell) menu(head, cell);
        } else if (current?.group) props.onToggle(current, row);
        else if (current) props.onOpen(current, row);
        return true;
      }
      default:
        return false;
    }
  };
  const onKeyDown = (e: KeyboardEvent) => {
    if (e.target !== table.current) return;
    const page = Math.max(1, Math.floor(((box.current?.clientHeight ?? 0) - HEAD) / ROW) - 1);
    const to = target(e, { row, column }, { row: rows - 1, column: all.length - 1 }, page);
    if (to) go(to);
    else if (!act(e)) return;
    e.preventDefault();
  };

  const width = horizontal.getTotalSize();
  const height = vertical.getTotalSize();
  const inSight = row < 0 || (row >= firstRow && row <= lastRow);
  return (
    <div
      ref={box}
      className={css.box}
      data-lost={(focused && !inSight) || undefined}
      data-scroll-restoration-id="grid"
      onClick={onClick}
      onMouseDown={onMouseDown}
      onPointerOver={(e) => point(placeOf(e, "data-index"))}
      onPointerLeave={() => point(undefined)}
      onFocus={(e) => {
        // What is clicked in a cell leaves the keys to the grid.
        if (e.target !== table.current) table.current?.focus({ preventScroll: true });
        setFocused(true);
      }}
      onBlur={() => setFocused(false)}
    >
      <div className={css.wide} style={{ width }}>
        <div
          ref={table}
          role="grid"
          tabIndex={0}
          className={css.grid}
          data-shown={(focused && inSight) || undefined}
          aria-label={props.label}
          aria-rowcount={rows + 1}
          aria-colcount={all.length}
          aria-multiselectable
          aria-activedescendant={
            currentColumn && inSight ? cellId(id, row, currentColumn) : undefined
          }
          onKeyDown={onKeyDown}
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
            <div role="rowgroup" className={css.body} style={{ width, height }}>
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
        {!props.children && (
          // Beside the grid, whose rows own them: in it they would be nobody's to who looks at
          // the document alone.
          <div className={css.pins} style={{ width: left, height, marginTop: -height }}>
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
        )}
      </div>
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

/** Where a key leads from a cell; nothing for a key that does not move. */
function target(e: KeyboardEvent, from: Place, last: Place, page: number): Place | undefined {
  const { row, column } = from;
  const whole = e.ctrlKey || e.metaKey;
  switch (e.key) {
    case "ArrowDown":
      return { row: row + 1, column };
    case "ArrowUp":
      return { row: row - 1, column };
    case "ArrowRight":
      return e.shiftKey ? undefined : { row, column: column + 1 };
    case "ArrowLeft":
      return e.shiftKey ? undefined : { row, column: column - 1 };
    case "Home":
      return { row: whole ? 0 : row, column: 0 };
    case "End":
      return { row: whole ? last.row : row, column: last.column };
    case "PageDown":
      return { row: row + page, column };
    case "PageUp":
      return { row: Math.max(0, row - page), column };
    default:
      return undefined;
  }
}
