import { expect, it } from "vitest";
import { changed, groupFilter, keyOf, kindOf, orderKey, parseSort, readView } from "./view";

it("reads from an address what makes sense, and leaves out the rest", () => {
  expect(
    readView({
      q: "metrics.a > 1",
      sort: 7,
      cols: ["metrics.a", "metrics.a", 3],
      pin: [],
      by: ["params.a", "params.b", "params.c", "params.d"],
      flat: "yes",
      w: { "metrics.a": 120, name: 4, x: "wide" },
      show: { "metrics.a": "best", "metrics.b": "nothing" },
      junk: 1,
    }),
  ).toEqual({
    q: "metrics.a > 1",
    cols: ["metrics.a"],
    by: ["params.a", "params.b", "params.c"],
    w: { "metrics.a": 120 },
    show: { "metrics.a": "best" },
  });
  expect(changed({ q: "a", flat: true }, { q: undefined })).toEqual({ flat: true });
});

it("knows what a column is by its name", () => {
  expect([kindOf("metrics.a"), kindOf("params.`a b`"), kindOf("start_time")]).toEqual([
    "metric",
    "parameter",
    "attribute",
  ]);
  expect(keyOf("params.`a ``b`")).toBe("a `b");
  expect(keyOf("metrics.val/loss")).toBe("val/loss");
  expect([orderKey("name"), orderKey("duration")]).toEqual(["run_name", undefined]);
  expect(parseSort("metrics.a DESC")).toEqual({ key: "metrics.a", desc: true });
});

it("writes the filter of a group", () => {
  expect(groupFilter("a = 1 OR b = 2", ["params.x", "tags.y"], ["it's", null])).toBe(
    "(a = 1 OR b = 2) AND params.x = 'it''s' AND tags.y IS NULL",
  );
  expect(groupFilter("", ["status"], ["FAILED"])).toBe("status = 'FAILED'");
});
