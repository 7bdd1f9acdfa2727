import { describe, expect, it } from "vitest";
import { complete, inText, placeOf, wordAt } from "./complete";
import { quoted } from "./words";

const tables = [
  {
    name: "recent",
    columns: [
      { name: "temp", type: "double" },
      { name: "at", type: "datetime" },
    ],
  },
  { name: "my-data", columns: [{ name: "tempo", type: "long" }] },
];

/** What is completed at the mark in a text. */
function at(marked: string): string[] {
  const place = marked.indexOf("|");
  const sql = marked.replace("|", "");
  return complete(sql, place, tables, quoted).hints.map((h) => h.text);
}

describe("completion", () => {
  it.each<[string, string[]]>([
    ["select * from |", ["recent", '"my-data"']],
    ["select * from re|", ["recent"]],
    ["select * from recent, my|", ['"my-data"']],
    ["select * from recent r join |", ["recent", '"my-data"']],
    ["select tem| from recent", ["temp"]],
    ["select tem| from nothing", ["temp", "tempo"]],
    ["select 'te|' from recent", []],
    ["select 1 -- te|", []],
    ["select |", []],
    ["select temp| from recent", []],
    ["select * from recent gro|", ["group by"]],
    ["select quantile| from recent", ["quantile_cont("]],
    ['select * from "my|', ['"my-data"']],
  ])("of %s", (text, hints) => expect(at(text)).toEqual(hints));

  it("puts what begins with the word before what only has it", () => {
    expect(at("select te| from recent")[0]).toBe("temp");
    expect(at("select * from da|")).toEqual(['"my-data"']);
  });
});

describe("places", () => {
  it("finds the word before the caret", () => {
    expect(wordAt("select te", 9)).toEqual({ from: 7, word: "te", quoted: false });
    expect(wordAt('from "my-d', 10)).toEqual({ from: 5, word: "my-d", quoted: true });
    expect(wordAt("select ", 7)).toEqual({ from: 7, word: "", quoted: false });
  });
  it("knows texts and comments", () => {
    expect(inText("select 'it''s ", 14)).toBe(true);
    expect(inText("select '--' as ", 15)).toBe(false);
    expect(inText("-- x\nselect ", 12)).toBe(false);
  });
  it("tells line and column", () => {
    expect(placeOf("a\nbc", 4)).toEqual({ line: 1, column: 2 });
  });
});
