import { infiniteQueryOptions, keepPreviousData, queryOptions } from "@tanstack/react-query";
import { api, ask, Problem, type Schemas } from "./client";
import { polled } from "./live";

export type Artifact = Schemas["Artifact"];
export type ArtifactTable = Schemas["TablePage"];

/** Whose artifacts are meant. */
export type Owner = { run: string } | { logged_model: string };

/** How many files of a directory are listed. */
const FILES = 10_000;
/** How often the files of a run that goes on are looked for. */
const RENEWED_MS = 3000;

/** What lies directly in a directory of an owner, and whether there is more. */
export const artifactsQuery = (project: string, owner: Owner, path = "", live = false) =>
  queryOptions({
    queryKey: ["p", project, "artifacts", owner, "list", path],
    queryFn: async ({ signal }) => {
      const items: Artifact[] = [];
      let page: string | undefined;
      do {
        const got = await ask(
          api.GET("/api/v1/projects/{project}/artifacts", {
            params: {
              path: { project },
              query: { ...owner, path, limit: 1000, ...(page ? { page } : {}) },
            },
            signal,
          }),
        );
        items.push(...got.items);
        page = got.next;
      } while (page !== undefined && items.length < FILES);
      return { items, more: page !== undefined };
    },
    refetchInterval: polled(live ? RENEWED_MS : false),
  });

/** A file, as the server shows it to a browser; as a page, HTML runs in a sandbox. */
export function contentURL(
  project: string,
  owner: Owner,
  { path, digest = "" }: Artifact,
  as?: "file" | "page",
): string {
  // The digest is for the browser: what has another content has another address.
  const query = new URLSearchParams({ ...owner, path, digest, ...(as ? { as } : {}) });
  return `/api/v1/projects/${encodeURIComponent(project)}/artifacts/content?${query}`;
}

/** Rows of a CSV or Parquet file, page by page. */
export const tableQuery = (project: string, owner: Owner, { path, digest }: Artifact) =>
  infiniteQueryOptions({
    queryKey: ["p", project, "artifacts", owner, "table", path, digest],
    placeholderData: keepPreviousData,
    queryFn: ({ signal, pageParam }) =>
      ask(
        api.GET("/api/v1/projects/{project}/artifacts/table", {
          params: {
            path: { project },
            query: { ...owner, path, limit: 100, ...(pageParam ? { page: pageParam } : {}) },
          },
          signal,
        }),
      ),
    initialPageParam: "",
    getNextPageParam: (last: ArtifactTable) => last.next,
  });

/** How many bytes of a text come at once. */
const TEXT_PART = 256 * 1024;

/** A text file, part by part. */
export const textQuery = (project: string, owner: Owner, file: Artifact) =>
  infiniteQueryOptions({
    queryKey: ["p", project, "artifacts", owner, "text", file.path, file.digest],
    placeholderData: keepPreviousData,
    queryFn: async ({ signal, pageParam }) => {
      const range = `bytes=${pageParam}-${pageParam + TEXT_PART - 1}`;
      const got = await fetch(contentURL(project, owner, file), { signal, headers: { range } });
      if (got.status === 416) return { text: "", from: pageParam, next: undefined }; // empty
      if (!got.ok) throw new Problem(await got.text(), got.status, "internal");
      const total = Number(/\/(\d+)$/.exec(got.headers.get("content-range") ?? "")?.[1] ?? 0);
      const body = new Uint8Array(await got.arrayBuffer());
      const next = pageParam + body.length;
      const whole = total === 0 || next >= total;
      const end = whole ? body.length : cut(body);
      return {
        text: new TextDecoder().decode(body.subarray(0, end)),
        from: pageParam,
        next: whole ? undefined : pageParam + end,
      };
    },
    initialPageParam: 0,
    getNextPageParam: (last: { next: number | undefined }) => last.next,
  });

/** Where the last whole line of a part ends; or the last whole character, of a long line. */
function cut(body: Uint8Array): number {
  const line = body.lastIndexOf(10);
  if (line >= 0) return line + 1;
  let end = body.length;
  while (end > 0 && ((body[end - 1] ?? 0) & 0xc0) === 0x80) end--;
  return Math.max(1, end - 1);
}
