import { describe, expect, it } from "vitest";
import type { LogPart } from "../../data/pipelines";
import { Log, MOST_MATCHES, pieces, search } from "./log";

const part = (text: string, more: Partial<LogPart> = {}): LogPart => ({
  text,
  skipped: 0,
  next: 1,
  end: 1,
  attempt: 1,
  attempts: 1,
  done: false,
  ...more,
});

describe("Log", () => {
  it("joins lines that come in parts", () => {
    const log = new Log();
    for (const text of ["a", "b\nc\n", "\n", "d"]) log.add(part(text));
    expect(log.lines).toEqual(["ab", "c", "", "d"]);
    expect(log.text()).toBe("ab\nc\n\nd");
    log.add(part("\n"));
    expect(log.text()).toBe("ab\nc\n\nd\n");
  });
  it("keeps of a progress bar what it shows last", () => {
    const log = new Log();
    log.add(part("10 %\r50 %\r"));
    expect(log.text()).toBe("50 %");
    log.add(part("100 %\r\nready\r\n"));
    expect(log.text()).toBe("100 %\nready\n");
  });
  it("says where something was dropped", () => {
    const log = new Log();
    log.add(part("begin"));
    log.add(part("end\n", { skipped: 1234567 }));
    expect(log.lines).toEqual(["begin", expect.stringContaining("1,234,567 bytes"), "end"]);
    expect(log.dropped).toBe(1234567);
  });
  it("begins anew with another attempt", () => {
    const log = new Log();
    log.add(part("first\n"));
    log.add(part("second\n", { attempt: 2, attempts: 2, done: true }));
    expect(log.lines).toEqual(["second"]);
    expect([log.attempts, log.done]).toEqual([2, true]);
  });
  it("carries a colour over lines", () => {
    const log = new Log();
    log.add(part("\x1b[31ma\nb\x1b[0m\nc\n"));
    expect([0, 1, 2].map((n) => log.look(n))).toEqual([{}, { color: "red" }, {}]);
  });
});

describe("search", () => {
  it("finds places whatever their case and colour", () => {
    expect(search(["Loss \x1b[1mloss\x1b[0m", "none", "LOSS"], "loss")).toEqual([
      { line: 0, from: 0 },
      { line: 0, from: 5 },
      { line: 2, from: 0 },
    ]);
    expect(search(["a"], "")).toEqual([]);
  });
  it("goes on in a log that grows, and begins anew with another attempt or text", () => {
    const log = new Log();
    const lines = () => log.search("loss").map((m) => m.line);
    log.add(part("loss\nnone\nlo"));
    expect(lines()).toEqual([0]);
    log.add(part("ss"));
    expect(lines()).toEqual([0, 2]);
    log.add(part(" 1\rgone\nloss\n"));
    expect(lines()).toEqual([0, 3]);
    expect(log.search("gone")).toEqual([{ line: 2, from: 0 }]);
    log.add(part("other\nloss\n", { attempt: 2 }));
    expect(lines()).toEqual([1]);
  });
  it("stops at a bound", () => {
    const lines = Array.from({ length: 3 }, () => "x".repeat(MOST_MATCHES));
    expect(search(lines, "x")).toHaveLength(MOST_MATCHES);
  });
});

describe("pieces", () => {
  it("marks what is searched for, across colours", () => {
    expect(pieces("a lo\x1b[31mss b loss", {}, "loss")).toEqual([
      { text: "a ", style: {} },
      { text: "lo", style: {}, match: 0 },
      { text: "ss", style: { color: "red" }, match: 0 },
      { text: " b ", style: { color: "red" } },
      { text: "loss", style: { color: "red" }, match: 1 },
    ]);
  });
});
