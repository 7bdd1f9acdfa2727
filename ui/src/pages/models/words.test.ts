import { expect, it } from "vitest";
import type { Check, Decision, Move } from "../../data/models";
import { gapText } from "./Checks";
import { lines } from "./compare";
import { spans } from "./Moves";
import { asOfIn, nameIn, pairIn } from "./search";
import { anyText, factText, few, judgedMetric, newestByVersion, operand } from "./words";

const check: Check = {
  name: "better-than-live",
  check: "candidate.wape <= live.wape",
  state: "red",
  message: "false",
  values: {
    "candidate.wape": { type: "double", value: 0.4768 },
    "live.wape": { type: "double", value: 0.1868 },
  },
  gap: { term: "", got: 0.4768, op: "<=", needed: 0.1868, difference: 0.29 },
};
const decision = (id: string, version: number, checks: Check[]): Decision => ({
  id,
  model: "bikes",
  version,
  result: "failed",
  checks,
  at: "2011-06-01T00:00:00Z",
  created: "2026-11-21T20:26:54Z",
  evidence: "evd_1",
  evidence_digest: "",
  policy: "",
  policy_digest: "",
  spec_revision: 1,
});

it("reads facts of all types", () => {
  expect(factText({ type: "double", value: 0.120741 })).toBe("0.1207");
  expect(factText({ type: "double", value: "NaN" })).toBe("NaN");
  expect(factText({ type: "double", value: "-Inf" })).toBe("−∞");
  expect(factText({ type: "int", value: 168 })).toBe("168");
  expect(factText({ type: "string", value: "onnx" })).toBe("onnx");
  expect(factText({ type: "bool", value: true })).toBe("true");
  expect(factText({ type: "timestamp", value: "2011-06-01T00:00:00Z" })).toBe(
    "2011-06-01 00:00:00 UTC",
  );
  expect(factText(undefined)).toBe("–");
  expect(anyText(0.05)).toBe("0.05");
  expect(anyText("lightgbm")).toBe("lightgbm");
});

it("finds the metric that the gates ask for, and what was measured", () => {
  const d = decision("dec_2", 5, [check]);
  expect(judgedMetric([d])).toBe("wape");
  expect(judgedMetric([])).toBeUndefined();
  expect(operand(d, "live.wape")).toBe(0.1868);
  expect(operand(undefined, "live.wape")).toBeUndefined();
  expect(newestByVersion([d, decision("dec_1", 5, [])]).get(5)?.id).toBe("dec_2");
  expect(gapText(check)).toBe("got 0.4768, needed <= 0.1868: missed by 0.29");
});

it("lays the moves of an alias out from move to move", () => {
  const move = (alias: string, from: number, to: number): Move => ({
    alias,
    from,
    to,
    rev: 1,
    event: `ev_${alias}${to}`,
    actor: "system:loop",
    at_ms: 1,
  });
  const moves = [
    move("candidate", 0, 1),
    move("live", 0, 1),
    move("candidate", 1, 2),
    move("candidate", 2, 0),
    move("live", 1, 2),
  ];
  const told = (alias: string) => spans(alias, moves).map((s) => `${s.version}×${s.columns}`);
  expect(told("live")).toEqual(["0×1", "1×3", "2×1"]);
  expect(told("candidate")).toEqual(["1×2", "2×1", "0×2"]);
});

it("puts what two versions have side by side", () => {
  const a = [
    { name: "x", text: "1" },
    { name: "y", text: "2" },
  ];
  expect(lines(a, [{ name: "y", text: "3" }])).toEqual([
    { name: "x", a: "1", b: undefined },
    { name: "y", a: "2", b: "3" },
  ]);
});

it("takes from addresses what makes sense", () => {
  expect(asOfIn({ as_of: "2026-03-01T12:00:00+01:00" })).toEqual({
    as_of: "2026-03-01T11:00:00.000Z",
  });
  expect(asOfIn({ as_of: "yesterday" })).toEqual({});
  expect(nameIn({ name: "bik" })).toEqual({ name: "bik" });
  expect(nameIn({ name: 3 })).toEqual({});
  expect(pairIn({ a: 4, b: "6", all: true })).toEqual({ a: 4, b: 6, all: true });
  expect(pairIn({ a: -1, b: "x" })).toEqual({});
});

it("names a few of many", () => {
  expect(few([])).toBe("");
  expect(few(["a", "b", "c"])).toBe("a, b, c");
  expect(few(["a", "b", "c", "d"])).toBe("a, b and 2 more");
});
