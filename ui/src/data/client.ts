import createClient from "openapi-fetch";
import type { components, paths } from "./api.gen";

/** A type of the native API by its name in the OpenAPI document. */
export type Schemas = components["schemas"];

/** The client of the native API. Its types are the server's own (scripts/api.js). */
export const api = createClient<paths>({
  baseUrl: "",
  credentials: "same-origin",
  fetch: (request) => fetch(request), // the one of the moment, for which tests can stand in
});

/** What the server says when something is wrong (RFC 9457). */
export class Problem extends Error {
  override name = "Problem";
  constructor(
    message: string,
    /** HTTP status; 0 when no answer came. */
    readonly status: number,
    /** One of the server's codes, such as not_found. */
    readonly code: string,
    /** Details for programs, such as the line of an error in a query. */
    readonly extra: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
  }
}

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** Returns an answer's data, or throws a Problem with the server's words. */
export async function ask<T>(answer: Promise<Answer<T>>): Promise<T> {
  let got: Answer<T>;
  try {
    got = await answer;
  } catch (err) {
    if (err instanceof DOMException && err.name === "AbortError") throw err;
    throw new Problem(
      "The server does not answer. Is it running? Start it with: fairlead serve",
      0,
      "unavailable",
    );
  }
  if (got.data !== undefined) return got.data;
  if (got.response.ok)
    throw new Problem("The server's answer is empty.", got.response.status, "internal");
  throw problem(got.error, got.response.status);
}

/** Makes a Problem of the body of an answer that is an error. */
export function problem(body: unknown, status: number): Problem {
  const said = typeof body === "object" && body !== null ? (body as Record<string, unknown>) : {};
  const text = (name: string) => (typeof said[name] === "string" ? said[name] : "");
  return new Problem(
    text("detail") || text("title") || `The server answered with status ${status}.`,
    status,
    text("code") || "internal",
    typeof said["extra"] === "object" && said["extra"] !== null
      ? (said["extra"] as Record<string, unknown>)
      : {},
  );
}
