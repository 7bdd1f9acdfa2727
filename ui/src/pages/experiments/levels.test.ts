import { describe, expect, it } from "vitest";
import { find, lay, mend, toggle, type Level, type Opened } from "./levels";

const root: Level = { key: "", depth: 0, total: 5, under: "" };
const child = (key: string, total: number, depth = 1): Level => ({ key, depth, total, under: key });

const places = (opened: Opened, total: number) => {
  const laid = lay(root, opened);
  expect(laid.total).toBe(total);
  return Array.from({ length: laid.total }, (_, i) => {
    const f = find(laid.segments, i);
    return f ? `${f.level.key}${f.at}` : "nowhere";
  }).join(" ");
};

describe("the rows of a table with levels", () => {
  it("are those of the first level while nothing is open", () => {
    expect(places({}, 5)).toBe("0 1 2 3 4");
  });
  it("have what is open below its row, on all levels", () => {
    let opened = toggle({}, root, { at: 3, child: child("d", 2) });
    opened = toggle(opened, root, { at: 1, child: child("b", 2) });
    opened = toggle(opened, child("b", 2), { at: 1, child: child("c", 1, 2) });
    expect(places(opened, 10)).toBe("0 1 b0 b1 c0 2 3 d0 d1 4");
  });
  it("close again with all that is below", () => {
    const open = { at: 1, child: child("b", 2) };
    let opened = toggle({}, root, open);
    opened = toggle(opened, child("b", 2), { at: 0, child: child("c", 9, 2) });
    expect(places(toggle(opened, root, open), 5)).toBe("0 1 2 3 4");
  });
  it("leave out what is open beyond the end, and find nothing there", () => {
    expect(places({ "": [{ at: 7, child: child("x", 3) }] }, 5)).toBe("0 1 2 3 4");
    expect(find(lay(root, {}).segments, 5)).toBeUndefined();
    expect(lay({ ...root, total: 0 }, {}).total).toBe(0);
  });
  it("stay open where they are in a list that was made anew, or close when they are gone", () => {
    let opened = toggle({}, root, { at: 3, child: child("d", 2) });
    opened = toggle(opened, root, { at: 1, child: child("b", 2) });
    opened = toggle(opened, child("b", 2), { at: 1, child: child("c", 1, 2) });
    expect(mend(root, opened, (_, o) => o)).toBe(opened);
    const moved = mend(root, opened, (_, o) =>
      o.child.key === "d" ? undefined : o.child.key === "b" ? { ...o, at: 2 } : o,
    );
    expect(places(moved, 8)).toBe("0 1 2 b0 b1 c0 3 4");
  });
});
