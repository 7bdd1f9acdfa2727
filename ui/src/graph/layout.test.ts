import { expect, it } from "vitest";
import { layout, type Direction } from "./layout";

const boxes = ["data", "run", "version", "gate"].map((id) => ({ id, width: 100, height: 40 }));
const edges = [
  { from: "data", to: "run" },
  { from: "run", to: "version" },
  { from: "version", to: "gate" },
  { from: "data", to: "gate" },
  { from: "nobody", to: "gate" },
];

it.each<[Direction, "x" | "y"]>([
  ["LR", "x"],
  ["TB", "y"],
])("lets each edge of a graph from %s lead on", (direction, axis) => {
  const { at, width, height } = layout(boxes, edges, direction);
  const place = (id: string) => at.get(id)?.[axis] ?? NaN;
  for (const e of edges.slice(0, 4)) expect(place(e.from)).toBeLessThan(place(e.to));
  for (const p of at.values()) {
    expect(p.x).toBeGreaterThanOrEqual(0);
    expect(p.y).toBeGreaterThanOrEqual(0);
    expect(p.x + 100).toBeLessThanOrEqual(width);
    expect(p.y + 40).toBeLessThanOrEqual(height);
  }
});

it("has no size without nodes", () => {
  expect(layout([], [], "LR")).toMatchObject({ width: 0, height: 0 });
});
