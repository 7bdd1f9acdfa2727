import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { projectRoute } from "../../app/root";

const text = (v: unknown) => (typeof v === "string" && v !== "" ? v : undefined);
const oneOf = <T extends string | number>(v: unknown, all: readonly T[]) =>
  all.find((a) => a === v);

/** What a version's page shows. */
export const TABS = ["profile", "rows", "lineage", "reads"] as const;
export type Tab = (typeof TABS)[number];

/** How many rows of an answer are shown. */
export const LIMIT = 1000;
export const LIMITS = [100, LIMIT, 10_000] as const;

const datasets = createRoute({
  getParentRoute: () => projectRoute,
  path: "/data",
  validateSearch: (s: Record<string, unknown>): { q?: string } => ({ ...put("q", text(s["q"])) }),
  component: lazyRouteComponent(() => import("./datasets"), "Datasets"),
});

const query = createRoute({
  getParentRoute: () => projectRoute,
  path: "/data/query",
  validateSearch: (s: Record<string, unknown>): { sql?: string; limit?: number } => ({
    ...put("sql", text(s["sql"])),
    ...put("limit", oneOf(s["limit"], LIMITS)),
  }),
  component: lazyRouteComponent(() => import("./query"), "Query"),
});

const dataset = createRoute({
  getParentRoute: () => projectRoute,
  path: "/data/$dataset",
  component: lazyRouteComponent(() => import("./dataset"), "DatasetPage"),
});

const version = createRoute({
  getParentRoute: () => projectRoute,
  path: "/data/$dataset/$version",
  validateSearch: (s: Record<string, unknown>): { tab?: Tab; column?: string; where?: string } => ({
    ...put("tab", oneOf(s["tab"], TABS)),
    ...put("column", text(s["column"])),
    ...put("where", text(s["where"])),
  }),
  component: lazyRouteComponent(() => import("./version"), "VersionPage"),
});

const diff = createRoute({
  getParentRoute: () => projectRoute,
  path: "/data/$dataset/$version/diff",
  validateSearch: (
    s: Record<string, unknown>,
  ): { from?: string; key?: string; column?: string; all?: boolean } => ({
    ...put("from", typeof s["from"] === "number" ? String(s["from"]) : text(s["from"])),
    ...put("key", text(s["key"])),
    ...put("column", text(s["column"])),
    ...put("all", s["all"] === true ? true : undefined),
  }),
  component: lazyRouteComponent(() => import("./diff"), "DiffPage"),
});

/** An object with the value, when there is one. */
function put<K extends string, V>(name: K, v: V | undefined): { [P in K]?: V } {
  return v === undefined ? {} : ({ [name]: v } as { [P in K]: V });
}

/** The routes of this room, below a project; each draws its page lazily. */
export const routes = [datasets, query, dataset, version, diff] as const;
