import type { Form, FormInput } from "../../data/endpoints";
import type { Cell, InferRequest, Tensor } from "../../data/infer";
import { significant } from "../../format/number";

/** A row of the form: what is written in it, by the input's name. */
export type Row = Record<string, string>;

/** Which of the values that the version has seen a row begins with. */
export type Start = "typical" | "least" | "greatest";

/** A row with values that the version has seen. Without any, it has none. */
export function startRow(form: Form, start: Start): Row {
  return Object.fromEntries(form.inputs.map((i) => [i.name, startValue(i, start)]));
}

function startValue(input: FormInput, start: Start): string {
  const seen = start === "typical" ? input.typical : input[start];
  if (typeof seen === "string") return seen;
  if (typeof seen !== "number")
    return input.categories?.[0] ?? (input.kind === "boolean" ? "0" : "");
  return String(Number(rounded(input, seen).toPrecision(4)));
}

/** A whole number where the input has only such, as far as the version has seen. */
function rounded(input: FormInput, x: number): number {
  const whole =
    ["long", "integer", "boolean"].includes(input.kind) ||
    (Number.isInteger(input.least) && Number.isInteger(input.greatest) && Number.isInteger(2 * x));
  return whole ? Math.floor(x) : x;
}

/** What the version has seen of an input, in a few words. */
export function seenOf(input: FormInput): string {
  if (input.categories) {
    const more = input.categories.length > 3 ? ", …" : "";
    return input.categories.slice(0, 3).join(", ") + more;
  }
  if (input.least === undefined || input.greatest === undefined) return "";
  return `${significant(input.least, 4)} to ${significant(input.greatest, 4)}`;
}

const datatypes: Record<string, string> = {
  double: "FP64",
  float: "FP32",
  long: "INT64",
  integer: "INT32",
  boolean: "BOOL",
};

/** The protocol's name for a kind of input. */
function datatypeOf(kind: string): string {
  return datatypes[kind] ?? "BYTES";
}

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** What is wrong with what is written for an input; undefined when nothing is. */
export function wrongWith(input: FormInput, text: string): string | undefined {
  const written = text.trim();
  if (written === "") return input.required ? "needed" : undefined;
  switch (input.kind) {
    case "double":
    case "float":
      return NUMBER.test(written) ? undefined : "not a number";
    case "long":
    case "integer":
      return /^[+-]?\d+$/.test(written) ? undefined : "not a whole number";
    case "boolean":
      return /^(true|false|0|1)$/i.test(written) ? undefined : "true or false";
    default:
      return undefined;
  }
}

/** The request of the rows. Where a value is not written it is null, which is missing. */
export function requestOf(form: Form, rows: readonly Row[], trial: boolean): InferRequest {
  const inputs = form.inputs.map((input): Tensor => ({
    name: input.name,
    datatype: datatypeOf(input.kind),
    shape: [rows.length],
    data: rows.map((row) => cellOf(input, row[input.name] ?? "")),
  }));
  return trial ? { parameters: { trial: true }, inputs } : { inputs };
}

function cellOf(input: FormInput, text: string): Cell {
  const written = text.trim();
  if (written === "") return null;
  if (input.kind === "boolean") return /^(true|1)$/i.test(written);
  return datatypeOf(input.kind) === "BYTES" ? written : Number(written);
}

/**
 * Reads pasted rows: JSON (an object, a list of objects, or a request of the protocol), or
 * CSV or tab-separated text with a head. Columns that the form has not are left out, and
 * said. Throws an Error in words.
 */
export function readPasted(form: Form, text: string): { rows: Row[]; ignored: string[] } {
  const written = text.trim();
  if (written === "") throw new Error("There is nothing to read.");
  const table = /^[[{]/.test(written) ? fromJSON(written) : fromCSV(written);
  if (table.length === 0) throw new Error("There are no rows in it.");
  if (table.length > MAX_ROWS) {
    throw new Error(`It has ${table.length} rows; this form takes at most ${MAX_ROWS}.`);
  }
  const names = new Set(form.inputs.map((i) => i.name));
  const found = new Set(table.flatMap((row) => Object.keys(row)));
  if (![...found].some((n) => names.has(n))) {
    throw new Error(`None of its columns is an input: it has ${[...found].join(", ")}.`);
  }
  return {
    rows: table.map((row) =>
      Object.fromEntries(form.inputs.map((i) => [i.name, row[i.name] ?? ""])),
    ),
    ignored: [...found].filter((n) => !names.has(n)),
  };
}

/** How many rows the form takes. */
export const MAX_ROWS = 20;

function fromJSON(text: string): Row[] {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (err) {
    throw new Error(`It is not JSON: ${err instanceof Error ? err.message : String(err)}`);
  }
  if (isRequest(body)) return fromTensors(body.inputs);
  const rows = Array.isArray(body) ? body : [body];
  return rows.map((row: unknown) => {
    if (typeof row !== "object" || row === null || Array.isArray(row)) {
      throw new Error('A row must be an object, such as {"a": 1}.');
    }
    return Object.fromEntries(Object.entries(row).map(([k, v]) => [k, written(v)]));
  });
}

function isRequest(body: unknown): body is { inputs: Tensor[] } {
  return (
    typeof body === "object" &&
    body !== null &&
    "inputs" in body &&
    Array.isArray(body.inputs) &&
    body.inputs.every(
      (t: unknown) => typeof t === "object" && t !== null && "data" in t && Array.isArray(t.data),
    )
  );
}

function fromTensors(tensors: Tensor[]): Row[] {
  const n = Math.max(0, ...tensors.map((t) => t.data.length));
  return Array.from({ length: n }, (_, i) =>
    Object.fromEntries(tensors.map((t) => [t.name, written(t.data[i])])),
  );
}

function written(v: unknown): string {
  if (v === null || v === undefined) return "";
  return typeof v === "string" ? v : JSON.stringify(v);
}

function fromCSV(text: string): Row[] {
  const lines = text.split(/\r?\n/).filter((l) => l.trim() !== "");
  const separator = lines[0]?.includes("\t") ? "\t" : ",";
  const [head = [], ...rows] = lines.map((l) => cells(l, separator));
  if (rows.length === 0) throw new Error("The first line names the columns; rows come below it.");
  return rows.map((row) => Object.fromEntries(head.map((name, i) => [name.trim(), row[i] ?? ""])));
}

/** The cells of a line of CSV (RFC 4180); a quoted one may hold separators, not lines. */
function cells(line: string, separator: string): string[] {
  const out: string[] = [];
  let cell = "";
  let quoted = false;
  for (let i = 0; i < line.length; i++) {
    const c = line.charAt(i);
    if (quoted && c === '"' && line.charAt(i + 1) === '"') {
      cell += c;
      i++;
    } else if (c === '"') quoted = !quoted;
    else if (c === separator && !quoted) {
      out.push(cell);
      cell = "";
    } else cell += c;
  }
  return [...out, cell];
}
