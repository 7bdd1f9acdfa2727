import { ArrowDown, ArrowUp } from "lucide-react";
import { useRef, useState, type PointerEvent } from "react";
import { Tick } from "./cells";
import css from "./Grid.module.css";
import type { GridColumn } from "./GridRows";
import { MAX_WIDTH, MIN_WIDTH } from "./view";

interface HeadProps {
  id: string;
  column: GridColumn;
  index: number;
  left: number;
  active: boolean;
  whole?: boolean;
  onMenu: (column: GridColumn, head: Element) => void;
  onWidth: (column: string, width: number) => void;
}

/** The head of a column, whose right edge can be drawn. */
export function Head({ id, column, index, left, active, whole, onMenu, onWidth }: HeadProps) {
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
