import { expect, it } from "vitest";
import { filterOf, kinds, readSearch } from "./search";

it("reads what makes sense of the address", () => {
  expect(
    readSearch({
      kind: "loop",
      seq: "17",
      from: "2026-02-30x",
      until: "2026-03-01",
      clock: "moon",
    }),
  ).toEqual({ kind: "loop", seq: 17, until: "2026-03-01" });
  expect(readSearch({ seq: -1, subject: "", actor: 5 })).toEqual({ actor: "5" });
});

it("asks for whole days, and for the types of a kind", () => {
  expect(filterOf({ kind: "loop", from: "2026-03-01", until: "2026-03-01" })).toMatchObject({
    types: ["case.opened", "case.advanced", "case.closed", "loop.paused"],
    from: "2026-03-01T00:00:00.000Z",
    until: "2026-03-02T00:00:00.000Z",
  });
  expect(filterOf({ kind: "alias.moved" }).types).toEqual(["alias.moved"]);
  expect(filterOf({}).types).toBeUndefined();
});

it("has a kind for each type once, but for trouble", () => {
  const types = kinds.filter((k) => k.name !== "trouble").flatMap((k) => k.types);
  expect(new Set(types).size).toBe(types.length);
});
