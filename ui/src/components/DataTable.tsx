import { Button } from "@mantine/core";
import { ArrowDown, ArrowUp } from "lucide-react";
import { useMemo, useState, type ReactNode } from "react";
import { count } from "../format/number";
import css from "./DataTable.module.css";

/** A column of a table of rows T. */
export interface Column<T> {
  /** Its name in the code, and in what remembers the order. */
  id: string;
  head: string;
  cell: (row: T) => ReactNode;
  /** What it is ordered by; a column without it cannot be. */
  sort?: (row: T) => number | string | null | undefined;
  /** Numbers stand at the right. */
  numeric?: boolean;
  /** Left out where there is little room. */
  minor?: boolean;
}

interface DataTableProps<T> {
  /** What the table is, for who cannot see it. */
  label: string;
  columns: Column<T>[];
  rows: readonly T[];
  rowKey: (row: T) => string;
  /** The column's id, with a minus before it for the other direction. */
  initialSort?: string;
  /** The row that is shown elsewhere on the page. */
  current?: string;
}

/** How many rows are drawn at once. */
const DRAWN = 200;

/** A table that is ordered by a click on a column's head. */
export function DataTable<T>(props: DataTableProps<T>) {
  const [order, setOrder] = useState(props.initialSort ?? "");
  const [most, setMost] = useState(DRAWN);
  const rows = useMemo(
    () => sorted(props.rows, props.columns, order),
    [props.rows, props.columns, order],
  );
  return (
    <div className={css.box} tabIndex={0} role="group" aria-label={props.label}>
      <table className={css.table} aria-label={props.label}>
        <thead>
          <tr>
            {props.columns.map((c) => (
              <Head key={c.id} column={c} order={order} onOrder={setOrder} />
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, most).map((row) => (
            <tr
              key={props.rowKey(row)}
              aria-current={props.rowKey(row) === props.current || undefined}
              data-current={props.rowKey(row) === props.current || undefined}
            >
              {props.columns.map((c) => (
                <td key={c.id} className={cellClass(c)}>
                  {c.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length > most && (
        <Button variant="default" m="sm" onClick={() => setMost(most + DRAWN)}>
          {`Show more of ${count(rows.length)} rows`}
        </Button>
      )}
    </div>
  );
}

function cellClass<T>(c: Column<T>): string {
  return [c.numeric ? css.numeric : "", c.minor ? css.minor : ""].join(" ");
}

interface HeadProps<T> {
  column: Column<T>;
  order: string;
  onOrder: (order: string) => void;
}

function Head<T>({ column, order, onOrder }: HeadProps<T>) {
  if (!column.sort) {
    return (
      <th scope="col" className={cellClass(column)}>
        {column.head}
      </th>
    );
  }
  const up = order === column.id;
  const down = order === `-${column.id}`;
  return (
    <th
      scope="col"
      className={cellClass(column)}
      aria-sort={up ? "ascending" : down ? "descending" : "none"}
    >
      <button
        type="button"
        className={css.order}
        onClick={() => onOrder(down ? column.id : `-${column.id}`)}
      >
        {column.head}
        {up && <ArrowUp size={12} aria-hidden />}
        {down && <ArrowDown size={12} aria-hidden />}
      </button>
    </th>
  );
}

function sorted<T>(rows: readonly T[], columns: Column<T>[], order: string): readonly T[] {
  const id = order.replace(/^-/, "");
  const by = columns.find((c) => c.id === id)?.sort;
  if (!by) return rows;
  const sign = order.startsWith("-") ? -1 : 1;
  return [...rows].sort((a, b) => {
    const [x, y] = [by(a), by(b)];
    if (x == null || y == null) return x == null ? (y == null ? 0 : 1) : -1; // what is unknown comes last
    if (typeof x === "number" && typeof y === "number") return sign * (x - y);
    return sign * String(x).localeCompare(String(y), "en", { numeric: true });
  });
}
