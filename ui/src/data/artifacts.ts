import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { api, ask, Problem, type Schemas } from "./client";

export type Artifact = Schemas["Artifact"];
export type ArtifactTable = Schemas["TablePage"];

/** Whose artifacts are meant. */
export type Owner = { run: string } | { logged_model: string };

/** What lies directly in a directory of an owner; the first thousand of it. */
export const artifactsQuery = (project: string, owner: Owner, path = "") =>
  queryOptions({
    queryKey: ["p", project, "artifacts", owner, "list", path],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/projects/{project}/artifacts", {
          params: { path: { project }, query: { ...owner, path, limit: 1000 } },
          signal,
        }),
      ),
  });

/** A file, as the server shows it to a browser; as a page, HTML runs in a sandbox. */
export function contentURL(
  project: string,
  owner: Owner,
  path: string,
  as?: "file" | "page",
): string {
  const query = new URLSearchParams({ ...owner, path, ...(as ? { as } : {}) });
  return `/api/v1/projects/${encodeURIComponent(project)}/artifacts/content?${query}`;
}

/** Rows of a CSV or Parquet file, page by page. */
export const tableQuery = (project: string, owner: Owner, path: string) =>
  infiniteQueryOptions({
    queryKey: ["p", project, "artifacts", owner, "table", path],
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
export const TEXT_PART = 256 * 1024;

/** A text file, part by part. */
export const textQuery = (project: string, owner: Owner, path: string) =>
  infiniteQueryOptions({
    queryKey: ["p", project, "artifacts", owner, "text", path],
    queryFn: async ({ signal, pageParam }) => {
      const range = `bytes=${pageParam}-${pageParam + TEXT_PART - 1}`;
      const got = await fetch(contentURL(project, owner, path), { signal, headers: { range } });
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
