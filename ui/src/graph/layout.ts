import dagre from "@dagrejs/dagre";

/** Which way a graph runs: from left to right, or from top to bottom. */
export type Direction = "LR" | "TB";

/** A node's size in CSS pixels. */
export interface Box {
  id: string;
  width: number;
  height: number;
}

/** Where the nodes stand, by their upper left corners, and how large the whole is. */
export interface Layout {
  at: Map<string, { x: number; y: number }>;
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
  const at = new Map<string, { x: number; y: number }>();
  let [width, height] = [0, 0];
  for (const b of boxes) {
    const n = g.node(b.id);
    at.set(b.id, { x: n.x - b.width / 2, y: n.y - b.height / 2 });
    width = Math.max(width, n.x + b.width / 2);
    height = Math.max(height, n.y + b.height / 2);
  }
  return { at, width, height };
}
