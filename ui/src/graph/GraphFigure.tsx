import { Skeleton } from "@mantine/core";
import { lazy, Suspense, type ReactNode } from "react";
import { Figure } from "../charts/Figure";
import type { GraphProps } from "./Graph";

// xyflow and dagre are loaded with the first page that draws a graph.
const Graph = lazy(() => import("./Graph"));

interface GraphFigureProps extends GraphProps {
  title: string;
  /** What it shows in a sentence: "11 things, from data to the endpoint". */
  describe: string;
  /** The same as a list or table. */
  table: () => ReactNode;
}

/** A graph with its name and the list behind it. */
export function GraphFigure({ title, describe, table, ...graph }: GraphFigureProps) {
  return (
    <Figure title={title} describe={describe} table={table}>
      <Suspense
        fallback={
          <div role="status" aria-label="Loading" aria-busy="true">
            <Skeleton height={260} />
          </div>
        }
      >
        <Graph {...graph} />
      </Suspense>
    </Figure>
  );
}
