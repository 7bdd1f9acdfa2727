import { Problem } from "./client";

/** A tensor of the Open Inference Protocol, one column [rows] of a model's inputs or outputs. */
export interface Tensor {
  name: string;
  datatype: string;
  shape: number[];
  data: Cell[];
}

/** A value of a tensor; null is missing. */
export type Cell = number | string | boolean | null;

export interface InferRequest {
  id?: string;
  parameters?: Record<string, string | boolean>;
  inputs: Tensor[];
}

/** What an endpoint answered. */
export interface Inference {
  model_version: string;
  id: string;
  outputs: Tensor[];
  /** From the click to the answer, in milliseconds, with the way there and back. */
  took: number;
}

/** The address of an endpoint, or of one of its versions, on this server. */
export function inferPath(project: string, endpoint: string, version?: number): string {
  const under = project === "default" ? "" : `/p/${encodeURIComponent(project)}`;
  const at = version === undefined ? "" : `/versions/${version}`;
  return `${under}/v2/models/${endpoint}${at}/infer`;
}

/** Asks an endpoint. What goes wrong is a Problem in the server's words. */
export async function infer(path: string, request: InferRequest): Promise<Inference> {
  const begun = performance.now();
  let answer: Response;
  try {
    answer = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      credentials: "same-origin",
      body: JSON.stringify(request),
    });
  } catch {
    throw new Problem("The server does not answer. Is it running?", 0, "unavailable");
  }
  const took = performance.now() - begun;
  const body: unknown = await answer.json().catch(() => null);
  if (!answer.ok || !isAnswer(body)) {
    const said =
      typeof body === "object" && body !== null && "error" in body ? String(body.error) : "";
    throw new Problem(
      said || `The server answered with status ${answer.status}.`,
      answer.status,
      "",
    );
  }
  return { ...body, took };
}

function isAnswer(body: unknown): body is Omit<Inference, "took"> {
  return typeof body === "object" && body !== null && "outputs" in body && "model_version" in body;
}
