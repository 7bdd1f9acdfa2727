import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { projectRoute } from "../../app/root";

const list = createRoute({
  getParentRoute: () => projectRoute,
  path: "monitoring",
  component: lazyRouteComponent(() => import("./list"), "MonitoringList"),
});

/** How far back a page looks, from the newest window on. */
export const reaches = ["7d", "30d", "90d", "all"] as const;
export type Reach = (typeof reaches)[number];

/** The chosen cell of a heat map: a feature in the stretch that holds this time, RFC 3339. */
export interface CellSearch {
  feature?: string;
  at?: string;
}

/** What of an endpoint's monitoring is looked at. */
export interface EndpointSearch extends CellSearch {
  reach?: Reach;
  /** RFC 3339: windows that begin in this stretch of event time, instead of a reach. */
  from?: string;
  to?: string;
}

const text = (v: unknown) => (typeof v === "string" && v !== "" ? v : undefined);
const time = (v: unknown) => (Number.isNaN(Date.parse(text(v) ?? "")) ? undefined : text(v));
function oneOf<T extends string>(all: readonly T[], v: unknown): T | undefined {
  return all.find((a) => a === v);
}
/** Leaves out what is undefined, so that an address has only what differs from the usual. */
export function given<T extends object>(all: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(all).filter(([, v]) => v !== undefined)) as T;
}

const cell = (s: Record<string, unknown>) =>
  given<CellSearch>({ feature: text(s["feature"]), at: time(s["at"]) });

const endpoint = createRoute({
  getParentRoute: () => projectRoute,
  path: "monitoring/$model/$environment",
  validateSearch: (s: Record<string, unknown>) =>
    given<EndpointSearch>({
      reach: oneOf(reaches, s["reach"]),
      from: time(s["from"]),
      to: time(s["to"]),
      ...cell(s),
    }),
  component: lazyRouteComponent(() => import("./endpoint"), "EndpointMonitoring"),
});

/** Which incidents are listed; what is left out means all. */
export interface IncidentsSearch {
  state?: "open" | "resolved";
  kind?: "drift" | "decay";
  endpoint?: string;
}

const incidents = createRoute({
  getParentRoute: () => projectRoute,
  path: "incidents",
  validateSearch: (s: Record<string, unknown>) =>
    given<IncidentsSearch>({
      state: oneOf(["open", "resolved"], s["state"]),
      kind: oneOf(["drift", "decay"], s["kind"]),
      endpoint: text(s["endpoint"]),
    }),
  component: lazyRouteComponent(() => import("./incidents"), "Incidents"),
});

const incident = createRoute({
  getParentRoute: () => projectRoute,
  path: "incidents/$incident",
  validateSearch: cell,
  component: lazyRouteComponent(() => import("./incident"), "IncidentPage"),
});

/** Of which model cases are listed; left out: of all. */
export interface CasesSearch {
  model?: string;
}

const cases = createRoute({
  getParentRoute: () => projectRoute,
  path: "cases",
  validateSearch: (s: Record<string, unknown>) => given<CasesSearch>({ model: text(s["model"]) }),
  component: lazyRouteComponent(() => import("./cases"), "Cases"),
});

const one = createRoute({
  getParentRoute: () => projectRoute,
  path: "cases/$case",
  component: lazyRouteComponent(() => import("./case"), "CasePage"),
});

/** The routes of this room, below a project; each draws its page lazily. */
export const routes = [list, endpoint, incidents, incident, cases, one] as const;
