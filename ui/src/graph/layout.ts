import dagre from "@dagrejs/dagre";

/** Which way a graph runs: from left to right, or from top to bottom. */
export type Direction = "LR" | "TB";

/** A node's size in CSS pixels. */
export interface Box {
  id: string;
  width: number;
  height: number;
}

export interface Point {
  x: number;
  y: number;
}

/** Where the nodes stand, by their upper left corners, and how large the whole is. */
export interface Layout {
  at: Map<string, Point>;
  /** For each edge, the ways past the nodes of the ranks that it crosses: in and out, by turns. */
  via: Point[][];
  width: number;
  height: number;
}

/** Places the nodes of a graph without cycles in ranks, with few crossings (Gansner et al. 1993). */
export function layout(
  boxes: readonly Box[],
  edges: readonly { from: string; to: string }[],
  direction: Direction,
): Layout {
  const g = new dagre.graphlib.Graph({ multigraph: true });
  g.setGraph({ rankdir: direction, nodesep: 18, ranksep: direction === "LR" ? 26 : 34 });
  g.setDefaultEdgeLabel(() => ({}));
  for (const b of boxes) g.setNode(b.id, { width: b.width, height: b.height });
  const there = new Set(boxes.map((b) => b.id));
  edges.forEach((e, i) => {
    if (there.has(e.from) && there.has(e.to)) g.setEdge(e.from, e.to, {}, String(i));
  });
  dagre.layout(g);
  const at = new Map<string, Point>();
  let [width, height] = [0, 0];
  for (const b of boxes) {
    const n = g.node(b.id);
    at.set(b.id, { x: n.x - b.width / 2, y: n.y - b.height / 2 });
    width = Math.max(width, n.x + b.width / 2);
    height = Math.max(height, n.y + b.height / 2);
  }
  const [along, size] = direction === "LR" ? (["x", "width"] as const) : (["y", "height"] as const);
  const via = edges.map((e, i) => {
    if (!there.has(e.from) || !there.has(e.to)) return [];
    const points: Point[] = g.edge(e.from, e.to, String(i)).points ?? [];
    return points.slice(1, -1).flatMap((p) => {
      // As far as the widest node of the rank that it stands in; between ranks there is none.
      const half = Math.max(
        ...boxes.map((b) => b[size] / 2 - Math.abs(g.node(b.id)[along] - p[along])),
      );
      if (half <= 0) return [];
      width = Math.max(width, p.x);
      height = Math.max(height, p.y);
      return [-half, half].map((by) => ({ ...p, [along]: p[along] + by }));
    });
  });
  return { at, via, width, height };
}

/** A path that leaves each of the points in the direction of the graph. */
export function pathThrough(points: readonly Point[], direction: Direction): string {
  let path = "";
  let last: Point | undefined;
  for (const p of points) {
    if (!last) path = `M${p.x} ${p.y}`;
    else if (direction === "LR") {
      const middle = (last.x + p.x) / 2;
      path += `C${middle} ${last.y} ${middle} ${p.y} ${p.x} ${p.y}`;
    } else {
      const middle = (last.y + p.y) / 2;
      path += `C${last.x} ${middle} ${p.x} ${middle} ${p.x} ${p.y}`;
    }
    last = p;
  }
  return path;
}
