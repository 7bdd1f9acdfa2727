import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createMemoryHistory, RouterProvider } from "@tanstack/react-router";
import { render } from "@testing-library/react";
import { vi } from "vitest";
import { keepFocus } from "../app/focus";
import { newRouter } from "../app/router";

keepFocus();

/**
 * What the server answers below /api/v1, by path, or by "POST /path": JSON, a Response, or a
 * function of the query that gives one of them; undefined never answers.
 */
export type Answers = Record<string, unknown>;

const usual: Answers = {
  "/me": { name: "ada", kind: "local", roles: [], scope: [] },
  "/projects": { items: [{ name: "bikes" }] },
};

/** What one may do in a project for which a test says nothing else. */
const permissions = { items: ["read", "operate"], otherwise: "" };

/** A request that changes something, as it was sent. */
interface Sent {
  method: string;
  path: string;
  body: unknown;
}

/** Refuses as the server does (RFC 9457). */
export function refusal(status: number, detail: string): Response {
  return new Response(JSON.stringify({ status, detail, code: "internal" }), {
    status,
    headers: { "Content-Type": "application/problem+json" },
  });
}

/**
 * Draws the whole program at an address, with a server of these answers; what was asked is
 * returned, and so are the answers, which a test may change. A path matches with its query,
 * or without any.
 */
export function mount(path: string, answers: Answers) {
  const asked: string[] = [];
  const sent: Sent[] = [];
  const all = { ...usual, ...answers };
  vi.stubGlobal("fetch", async (given: Request | string, init?: RequestInit) => {
    const input = new Request(
      typeof given === "string" ? new URL(given, "http://localhost") : given,
      init,
    );
    const url = new URL(input.url, "http://localhost");
    const at = decodeURIComponent(url.pathname.replace("/api/v1", ""));
    asked.push(`${input.method} ${at}${url.search}`);
    if (input.method !== "GET") {
      const text = await input.text();
      sent.push({ method: input.method, path: at, body: text === "" ? null : JSON.parse(text) });
    }
    const found = [`${input.method} ${at}`, `${at}${decodeURIComponent(url.search)}`, at].find(
      (key) => key in all,
    );
    const other = at.endsWith("/permissions") ? permissions : refusal(404, `no answer for ${at}`);
    const said = found === undefined ? other : all[found];
    const answer =
      typeof said === "function"
        ? await (said as (query: Record<string, string>) => unknown)(
            Object.fromEntries(url.searchParams),
          )
        : said;
    if (answer === undefined) return new Promise<Response>(() => {});
    if (answer instanceof Response) return answer.clone();
    return Response.json(answer);
  });
  vi.stubGlobal("EventSource", SilentSource);
  // A text area that grows listens to it; happy-dom has none.
  Object.defineProperty(document, "fonts", { value: new EventTarget(), configurable: true });
  const queries = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  const router = newRouter(queries);
  router.update({ history: createMemoryHistory({ initialEntries: [path] }), context: { queries } });
  const view = render(
    <MantineProvider env="test">
      <QueryClientProvider client={queries}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </MantineProvider>,
  );
  return { ...view, asked, sent, router, queries, answers: all };
}

/** A stream of events without any. */
class SilentSource extends EventTarget {
  close(): void {}
}
