import { expect, it } from "vitest";
import type { Form } from "../../data/endpoints";
import { readPasted, requestOf, seenOf, startRow, wrongWith } from "./rows";

const form: Form = {
  endpoint: "bikes@production",
  version: 3,
  role: "live",
  seen: 100,
  outputs: [{ name: "prediction", kind: "double", required: true }],
  inputs: [
    { name: "hr", kind: "double", required: true, typical: 10.5, least: 0, greatest: 23 },
    {
      name: "temp",
      kind: "double",
      required: false,
      typical: 0.462111,
      least: 0.19,
      greatest: 0.68,
    },
    { name: "place", kind: "string", required: true, typical: "JFK", categories: ["JFK", "LGA"] },
    { name: "open", kind: "boolean", required: true },
  ],
};

it("begins with values that the version has seen", () => {
  expect(startRow(form, "typical")).toEqual({ hr: "10", temp: "0.4621", place: "JFK", open: "0" });
  expect(startRow(form, "greatest")).toEqual({ hr: "23", temp: "0.68", place: "JFK", open: "0" });
  expect(form.inputs.map(seenOf)).toEqual(["0 to 23", "0.19 to 0.68", "JFK, LGA", ""]);
});

it("makes a request of the protocol, with null for what is missing", () => {
  const row = { hr: "8", temp: " ", place: "EWR", open: "true" };
  expect(requestOf(form, [row], true)).toEqual({
    parameters: { trial: true },
    inputs: [
      { name: "hr", datatype: "FP64", shape: [1], data: [8] },
      { name: "temp", datatype: "FP64", shape: [1], data: [null] },
      { name: "place", datatype: "BYTES", shape: [1], data: ["EWR"] },
      { name: "open", datatype: "BOOL", shape: [1], data: [true] },
    ],
  });
  expect(requestOf(form, [row], false).parameters).toBeUndefined();
});

it("says what is wrong with a value", () => {
  const wrong = (name: string, text: string) => {
    const input = form.inputs.find((i) => i.name === name);
    return input && wrongWith(input, text);
  };
  expect(wrong("hr", "")).toBe("needed");
  expect(wrong("hr", "1e3")).toBeUndefined();
  expect(wrong("hr", "0x10")).toBe("not a number");
  expect(wrong("temp", "")).toBeUndefined();
  expect(wrong("open", "yes")).toBe("true or false");
});

it("reads pasted JSON, CSV, tabs and requests", () => {
  const want = [{ hr: "8", temp: "0.3", place: "JFK", open: "" }];
  for (const text of [
    '{"hr": 8, "temp": 0.3, "place": "JFK"}',
    '[{"hr": 8, "temp": 0.3, "place": "JFK"}]',
    'hr,temp,place\n8,0.3,"JFK"\n',
    "hr\ttemp\tplace\r\n8\t0.3\tJFK",
    '{"inputs":[{"name":"hr","data":[8]},{"name":"temp","data":[0.3]},{"name":"place","data":["JFK"]}]}',
  ]) {
    expect(readPasted(form, text).rows, text).toEqual(want);
  }
  expect(readPasted(form, "hr,riders\n8,120").ignored).toEqual(["riders"]);
  expect(readPasted(form, 'hr,place\n8,"a ""b"", c"').rows[0]?.["place"]).toBe('a "b", c');
});

it("says why it cannot read what was pasted", () => {
  for (const [text, why] of [
    ["", "nothing to read"],
    ["{", "not JSON"],
    ["[1, 2]", "must be an object"],
    ["hr,temp", "rows come below"],
    ["a,b\n1,2", "None of its columns"],
    [`hr\n${"1\n".repeat(21)}`, "at most 20"],
  ] as const) {
    expect(() => readPasted(form, text), text).toThrow(why);
  }
});
