import { describe, expect, it } from "vitest";
import { parse, plain } from "./ansi";

const shape = (line: string) => parse(line).stretches.map((s) => [s.text, s.style]);

describe("parse", () => {
  it("leaves a plain line as it is", () => {
    expect(shape("a b")).toEqual([["a b", {}]]);
    expect(shape("")).toEqual([]);
  });
  it("tells colours and weights", () => {
    expect(shape("\x1b[1;31mno\x1b[0m yes")).toEqual([
      ["no", { bold: true, color: "red" }],
      [" yes", {}],
    ]);
    expect(shape("\x1b[92;44mx\x1b[39my\x1b[49;22mz\x1b[mw")).toEqual([
      ["x", { color: "green", back: "blue" }],
      ["y", { back: "blue" }],
      ["z", {}],
      ["w", {}],
    ]);
  });
  it("takes the nearest of many colours", () => {
    expect(shape("\x1b[38;5;196ma\x1b[38;2;10;200;20mb\x1b[48;5;21;4mc")).toEqual([
      ["a", { color: "red" }],
      ["b", { color: "green" }],
      ["c", { color: "green", back: "blue", underline: true }],
    ]);
  });
  it("carries a look on to the next line", () => {
    const { after } = parse("\x1b[33mbegins");
    expect(parse("goes on", after).stretches).toEqual([
      { text: "goes on", style: { color: "yellow" } },
    ]);
  });
  it("leaves out what moves a cursor, names a window or cannot be seen", () => {
    expect(shape("\x1b[2K\x1b[1A\x1b]0;title\x07a\x00\x08b\tc")).toEqual([["ab\tc", {}]]);
  });
});

it("reads a line without its looks", () => {
  expect(plain("\x1b[1mloss\x1b[0m=0.1\x07")).toBe("loss=0.1");
});
