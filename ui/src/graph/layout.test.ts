import { expect, it } from "vitest";
import { layout, pathThrough, type Direction } from "./layout";

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
  const { at, via, width, height } = layout(boxes, edges, direction);
  const place = (id: string) => at.get(id)?.[axis] ?? NaN;
  for (const e of edges.slice(0, 4)) expect(place(e.from)).toBeLessThan(place(e.to));
  for (const p of at.values()) {
    expect(p.x).toBeGreaterThanOrEqual(0);
    expect(p.y).toBeGreaterThanOrEqual(0);
    expect(p.x + 100).toBeLessThanOrEqual(width);
    expect(p.y + 40).toBeLessThanOrEqual(height);
  }
  // From data to gate past run and version: beside them as long as they are.
  expect(via.map((points) => points.length)).toEqual([0, 0, 0, 4, 0]);
  const [size, beside] = axis === "x" ? ([100, "y"] as const) : ([40, "x"] as const);
  const room = axis === "x" ? 40 : 100;
  for (const [i, id] of ["run", "version"].entries()) {
    const node = at.get(id);
    const [into, out] = via[3]?.slice(2 * i, 2 * i + 2) ?? [];
    expect(into?.[axis]).toBeCloseTo(place(id));
    expect(out?.[axis]).toBeCloseTo(place(id) + size);
    const off = (into?.[beside] ?? NaN) - (node?.[beside] ?? NaN);
    expect(off < 0 || off > room).toBe(true);
    expect(out?.[beside]).toBe(into?.[beside]);
  }
});

it("draws paths that begin and end along the graph", () => {
  const [a, b] = [
    { x: 0, y: 0 },
    { x: 10, y: 20 },
  ];
  expect(pathThrough([a, b], "LR")).toBe("M0 0C5 0 5 20 10 20");
  expect(pathThrough([a, b], "TB")).toBe("M0 0C0 10 10 10 10 20");
});

it("has no size without nodes", () => {
  expect(layout([], [], "LR")).toMatchObject({ width: 0, height: 0 });
});
