import "@xyflow/react/dist/base.css";
import { useWidth } from "../components/width";
import {
  BaseEdge,
  Handle,
  MarkerType,
  Position,
  ReactFlow,
  type Edge,
  type EdgeProps,
  type Node,
  type NodeProps,
} from "@xyflow/react";
import { useEffect, useMemo, useRef, type ReactNode } from "react";
import css from "./Graph.module.css";
import { layout, pathThrough, type Direction, type Point } from "./layout";

/** A thing of a graph. What is drawn in it may have links and buttons. */
export interface GraphNode {
  id: string;
  body: ReactNode;
  /** In CSS pixels; 148 by 74 unless it says otherwise. */
  width?: number;
  height?: number;
}

export interface GraphEdge {
  from: string;
  to: string;
  label?: string;
  /** A weaker tie, such as what something was compared with. */
  dashed?: boolean;
}

export interface GraphProps {
  nodes: readonly GraphNode[];
  edges: readonly GraphEdge[];
}

const NARROW = 700;
// The scales at which text can still be read; what is larger then is scrolled.
const LEAST: Record<Direction, number> = { LR: 0.76, TB: 0.55 };
const MARGIN = 4;

type Flow = Node<{ body: ReactNode; direction: Direction }, "box">;

function BoxNode({ data }: NodeProps<Flow>) {
  const [into, out] =
    data.direction === "LR" ? [Position.Left, Position.Right] : [Position.Top, Position.Bottom];
  return (
    <div className={css.node}>
      <Handle type="target" position={into} className={css.handle ?? ""} />
      {data.body}
      <Handle type="source" position={out} className={css.handle ?? ""} />
    </div>
  );
}

const nodeTypes = { box: BoxNode };

type FlowEdge = Edge<{ via: readonly Point[]; direction: Direction }, "past">;

/** An edge that does not cross the nodes between its ends. */
function PastEdge(props: EdgeProps<FlowEdge>) {
  const { data, sourceX, sourceY, targetX, targetY, label, markerEnd } = props;
  const points = [{ x: sourceX, y: sourceY }, ...(data?.via ?? []), { x: targetX, y: targetY }];
  const i = Math.ceil(points.length / 2);
  const [a, b] = [points[i - 1], points[i]];
  return (
    <BaseEdge
      path={pathThrough(points, data?.direction ?? "LR")}
      label={label}
      labelX={((a?.x ?? 0) + (b?.x ?? 0)) / 2}
      labelY={((a?.y ?? 0) + (b?.y ?? 0)) / 2}
      {...(markerEnd ? { markerEnd } : {})}
    />
  );
}

const edgeTypes = { past: PastEdge };

/** A directed graph without cycles, laid out by itself. Draw a list of the same behind it. */
export default function Graph({ nodes, edges }: GraphProps) {
  const { ref, width } = useWidth();
  const box = useRef<HTMLDivElement>(null);
  const way = width > 0 && width < NARROW ? "TB" : "LR";
  const drawn = useMemo(() => draw(nodes, edges, way), [nodes, edges, way]);
  const scale = Math.min(1, Math.max(LEAST[way], (width - 2 * MARGIN) / Math.max(1, drawn.width)));
  const whole = Math.max(width, drawn.width * scale + 2 * MARGIN);
  // One begins at the left, and where the graph runs down, in the middle. It has its size
  // with the next frame, for who wants no motion.
  useEffect(() => {
    const frame = requestAnimationFrame(() => {
      if (box.current) box.current.scrollLeft = way === "TB" ? (whole - width) / 2 : 0;
    });
    return () => cancelAnimationFrame(frame);
  }, [way, whole, width]);
  return (
    <div ref={box} className={css.scroll}>
      <div ref={ref} />
      <div
        className={css.graph}
        style={{ width: width > 0 ? whole : "100%", height: drawn.height * scale + 2 * MARGIN }}
      >
        {width > 0 && (
          <ReactFlow
            key={`${way} ${Math.round(width)} ${drawn.nodes.length}`}
            nodes={drawn.nodes}
            edges={drawn.edges}
            nodeTypes={nodeTypes}
            edgeTypes={edgeTypes}
            defaultViewport={{ x: (whole - drawn.width * scale) / 2, y: MARGIN, zoom: scale }}
            minZoom={0.3}
            nodesDraggable={false}
            nodesConnectable={false}
            nodesFocusable={false}
            edgesFocusable={false}
            elementsSelectable={false}
            panOnDrag={false}
            zoomOnScroll={false}
            zoomOnPinch={false}
            zoomOnDoubleClick={false}
            preventScrolling={false}
            proOptions={{ hideAttribution: true }}
          />
        )}
      </div>
    </div>
  );
}

function draw(nodes: readonly GraphNode[], edges: readonly GraphEdge[], direction: Direction) {
  const boxes = nodes.map((n) => ({ id: n.id, width: n.width ?? 148, height: n.height ?? 74 }));
  const placed = layout(boxes, edges, direction);
  const flowNodes = nodes.map((n, i): Flow => {
    const box = boxes[i];
    return {
      id: n.id,
      type: "box",
      position: placed.at.get(n.id) ?? { x: 0, y: 0 },
      data: { body: n.body, direction },
      width: box?.width ?? 0,
      height: box?.height ?? 0,
    };
  });
  const flowEdges = edges.map((e, i): FlowEdge => ({
    id: `${i} ${e.from} ${e.to}`,
    source: e.from,
    target: e.to,
    type: "past",
    data: { via: placed.via[i] ?? [], direction },
    ...(e.label ? { label: e.label } : {}),
    className: e.dashed ? (css.dashed ?? "") : "",
    markerEnd: {
      type: MarkerType.ArrowClosed,
      width: 16,
      height: 16,
      color: "var(--f-line-strong)",
    },
  }));
  return { nodes: flowNodes, edges: flowEdges, width: placed.width, height: placed.height };
}
