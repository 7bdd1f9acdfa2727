import type { InferRequest, Tensor } from "../../data/infer";

/** A way to call an endpoint, as a piece of code. */
export interface Call {
  id: "curl" | "cli" | "requests" | "triton";
  name: string;
  code: string;
}

/** Where an endpoint is. */
export interface Place {
  /** Such as http://127.0.0.1:4747. */
  origin: string;
  project: string;
  endpoint: string;
  /** Below the origin. */
  path: string;
  /** One of the endpoint's versions, where it is not to route. */
  version?: number | undefined;
}

/** The code of a request in each of the ways. */
export function callsOf(place: Place, request: InferRequest): Call[] {
  return [
    { id: "curl", name: "curl", code: curl(place, request) },
    { id: "cli", name: "CLI", code: cli(place, request) },
    { id: "requests", name: "Python", code: python(place, request) },
    { id: "triton", name: "Python, tritonclient", code: triton(place, request) },
  ];
}

/** Quotes a text for a shell. */
function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replace(/'/g, `'\\''`)}'`;
}

function curl(place: Place, request: InferRequest): string {
  return [
    `curl ${quoted(place.origin + place.path)} \\`,
    `  -H "Authorization: Bearer $FAIRLEAD_TOKEN" \\`,
    `  -H "Content-Type: application/json" \\`,
    `  -d ${quoted(JSON.stringify(request))}`,
  ].join("\n");
}

function cli(place: Place, request: InferRequest): string {
  const rows = rowsOf(request.inputs);
  const json = JSON.stringify(rows.length === 1 ? rows[0] : rows);
  const version = place.version === undefined ? "" : ` --version ${place.version}`;
  return `fairlead predict ${quoted(place.endpoint)} --server ${place.origin} --project ${quoted(place.project)}${version} ${quoted(json)}`;
}

function rowsOf(inputs: Tensor[]): Record<string, unknown>[] {
  const n = Math.max(0, ...inputs.map((t) => t.data.length));
  return Array.from({ length: n }, (_, i) =>
    Object.fromEntries(inputs.map((t) => [t.name, t.data[i] ?? null])),
  );
}

/** A server without accounts wants none of who only asks. */
const TOKEN = '    headers={"Authorization": "Bearer " + os.environ.get("FAIRLEAD_TOKEN", "")},';

/** A value as Python writes it. */
function literal(v: unknown): string {
  if (v === null || v === undefined) return "None";
  if (typeof v === "boolean") return v ? "True" : "False";
  return JSON.stringify(v);
}

function list(data: unknown[]): string {
  return `[${data.map(literal).join(", ")}]`;
}

function python(place: Place, request: InferRequest): string {
  const inputs = request.inputs.map(
    (t) =>
      `        {"name": ${literal(t.name)}, "datatype": "${t.datatype}", "shape": [${t.shape.join(", ")}], "data": ${list(t.data)}},`,
  );
  return [
    "import os",
    "import requests",
    "",
    "answer = requests.post(",
    `    ${literal(place.origin + place.path)},`,
    TOKEN,
    '    json={"inputs": [',
    ...inputs,
    "    ]},",
    "    timeout=10,",
    ")",
    "answer.raise_for_status()",
    'print({o["name"]: o["data"] for o in answer.json()["outputs"]})',
  ].join("\n");
}

const arrays: Record<string, string> = {
  FP64: "float64",
  FP32: "float32",
  INT64: "int64",
  INT32: "int32",
  BOOL: "bool",
  BYTES: "object",
};

function triton(place: Place, request: InferRequest): string {
  const { host, prefix } = addressOf(place);
  const inputs = request.inputs.map((t) => {
    const data = t.data.map((v) => (v === null && t.datatype.startsWith("FP") ? "nan" : v));
    const values = data.map((v) => (v === "nan" ? "np.nan" : literal(v))).join(", ");
    return `add(${literal(t.name)}, "${t.datatype}", np.array([${values}], dtype=np.${arrays[t.datatype] ?? "object"}${t.datatype === "BYTES" ? "_" : ""}))`;
  });
  const version = place.version === undefined ? "" : `, model_version="${place.version}"`;
  return [
    "import os",
    "import numpy as np",
    "import tritonclient.http as triton",
    "",
    `client = triton.InferenceServerClient(${literal(host + prefix)}${place.origin.startsWith("https") ? ", ssl=True" : ""})`,
    "inputs = []",
    "",
    "def add(name, datatype, values):",
    "    inputs.append(triton.InferInput(name, list(values.shape), datatype))",
    "    inputs[-1].set_data_from_numpy(values)",
    "",
    ...inputs,
    "answer = client.infer(",
    `    ${literal(place.endpoint)}, inputs${version},`,
    TOKEN,
    ")",
    'print({o["name"]: answer.as_numpy(o["name"]) for o in answer.get_response()["outputs"]})',
  ].join("\n");
}

function addressOf(place: Place): { host: string; prefix: string } {
  const at = place.path.indexOf("/v2/");
  return { host: new URL(place.origin).host, prefix: place.path.slice(0, Math.max(0, at)) };
}
