import { expect, it } from "vitest";
import { placeOf, stations, trackFor } from "./track";

it.each([326, 640, 1100])("puts the stations on the track, in order, at %d pixels", (width) => {
  const t = trackFor(width, { above: 3, below: 1 });
  expect(t.points).toHaveLength(stations.length);
  let before = -1;
  for (const p of t.points) {
    expect(p.x).toBeGreaterThanOrEqual(10);
    expect(p.x).toBeLessThanOrEqual(width - 10);
    expect(p.y).toBeGreaterThan(0);
    expect(p.y).toBeLessThan(t.height);
    expect(p.at).toBeGreaterThan(before);
    before = p.at;
  }
  expect(before).toBeLessThan(t.length);
  expect(t.tall).toBe(width < 640);
});

it("knows what stands beside the loop", () => {
  expect(placeOf("data")).toBe(0);
  expect(placeOf("incident")).toBe(7);
  expect(placeOf("retired")).toBe(-1);
});
