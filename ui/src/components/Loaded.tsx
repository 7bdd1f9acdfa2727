import { Skeleton } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import type { CSSProperties, ReactNode } from "react";
import { Failed, failureOf, Old } from "./State";
import css from "./State.module.css";

interface LoadedProps<T> {
  query: UseQueryResult<T>;
  /** What stands there while it loads, in the layout of what will come. */
  skeleton?: ReactNode;
  /** What stands there when `isEmpty` says that there is nothing. */
  empty?: ReactNode;
  isEmpty?: (data: T) => boolean;
  children: (data: T) => ReactNode;
}

/**
 * The four states of what comes from the server. What was there stays in sight when a
 * renewal fails; a line above it says so.
 */
export function Loaded<T>({ query, skeleton, empty, isEmpty, children }: LoadedProps<T>) {
  if (query.data === undefined) {
    if (failureOf(query) != null) return <Failed query={query} />;
    return (
      <div role="status" aria-label="Loading" aria-busy="true">
        {skeleton ?? <Lines n={4} />}
      </div>
    );
  }
  const body = empty !== undefined && isEmpty?.(query.data) ? empty : children(query.data);
  return (
    <>
      <Old query={query} />
      {body}
    </>
  );
}

/** A skeleton of lines of text or rows of a table. */
export function Lines({ n, height = 18 }: { n: number; height?: number }) {
  return (
    <>
      {Array.from({ length: n }, (_, i) => (
        <Skeleton key={i} height={height} mb={10} width={i === n - 1 && n > 1 ? "60%" : "100%"} />
      ))}
    </>
  );
}

/** A skeleton of one piece, of the height in CSS pixels of what comes; of another one where there is little room. */
export function Bone({ height, narrow }: { height: number; narrow: number }) {
  return (
    <Skeleton
      className={css.bone ?? ""}
      style={{ "--bone": `${height}px`, "--bone-narrow": `${narrow}px` } as CSSProperties}
    />
  );
}
