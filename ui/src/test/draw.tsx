import { MantineProvider } from "@mantine/core";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { configure, render } from "@testing-library/react";
import { vi } from "vitest";

/** What the server answers: a value, a Problem's status and words, or what a function says. */
type Answer = unknown;

/** A status other than 200 of an answer. */
export class Failing {
  constructor(
    readonly status: number,
    readonly detail: string,
  ) {}
}

/** A request that was sent. */
export interface Sent {
  method: string;
  path: string;
  body: unknown;
}

/** Never answers: what is drawn stays as it is while it loads. */
export const NEVER = Symbol("never");

let answers: Record<string, Answer> = {};
let sent: Sent[] = [];

// The client takes fetch when it is loaded, which is after this.
vi.stubGlobal("fetch", async (input: Request | string, init?: RequestInit) => {
  const request = new Request(
    typeof input === "string" ? new URL(input, window.location.href) : input,
    init,
  );
  const at = new URL(request.url);
  const text = request.method === "GET" ? "" : await request.text();
  sent.push({ method: request.method, path: at.pathname, body: text && JSON.parse(text) });
  const answer =
    answers[`${request.method} ${at.pathname}`] ??
    (request.method === "GET" ? answers[at.pathname] : undefined) ??
    new Failing(404, `there is no ${at.pathname}`);
  if (answer === NEVER) return new Promise(() => undefined);
  if (answer instanceof Failing) {
    const { status, detail } = answer;
    return Response.json({ status, detail, title: "wrong", code: "x" }, { status });
  }
  return Response.json(typeof answer === "function" ? (answer as () => unknown)() : answer);
});

/**
 * Draws the page of an address as the program would, with the answers of a server that is
 * not there: by "METHOD path", or by path for GET. What has no answer is not found.
 */
export async function draw(path: string, said: Record<string, Answer>) {
  configure({ asyncUtilTimeout: 10_000 }); // a page's code comes with its first drawing
  vi.setConfig({ testTimeout: 30_000 });
  answers = said;
  sent = [];
  vi.stubGlobal("EventSource", SilentSource);
  vi.stubGlobal("scrollTo", () => undefined);
  Object.defineProperty(document, "fonts", { value: new EventTarget(), configurable: true });
  window.history.replaceState(null, "", path);
  const { newRouter } = await import("../app/router");
  const { newQueryClient } = await import("../data/query");
  const queries = newQueryClient();
  queries.setDefaultOptions({ queries: { retry: false } });
  render(
    <MantineProvider env="test">
      <QueryClientProvider client={queries}>
        <RouterProvider router={newRouter(queries)} />
      </QueryClientProvider>
    </MantineProvider>,
  );
  return { sent };
}

/** A stream that nothing comes from. */
class SilentSource extends EventTarget {
  close() {
    return undefined;
  }
}

/** What every page asks for, for a reader who may do all that is named. */
export function reader(project: string, ...may: string[]): Record<string, Answer> {
  return {
    "/api/v1/me": { name: "ada", kind: "session", permissions: [] },
    "/api/v1/projects": { items: [{ name: project }] },
    [`/api/v1/projects/${project}/permissions`]: {
      items: ["read", ...may],
      otherwise: "This needs a role that you have not",
    },
  };
}
