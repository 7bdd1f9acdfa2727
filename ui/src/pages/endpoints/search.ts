import type { Clock } from "../../data/endpoints";

/** The stretches of time that the pages offer: what the API takes, and their names. */
export const ranges = [
  { last: "1h", label: "1 h" },
  { last: "24h", label: "1 d" },
  { last: "168h", label: "7 d" },
  { last: "720h", label: "30 d" },
  { last: "8760h", label: "1 y" },
] as const;

export type Last = (typeof ranges)[number]["last"];

interface RangeSearch {
  last?: Last;
  clock?: Clock;
}

/** The stretch of time in an address; what makes no sense there is left out. */
export function rangeOf(search: Record<string, unknown>): RangeSearch {
  const out: RangeSearch = {};
  const found = ranges.find((r) => r.last === search["last"]);
  if (found) out.last = found.last;
  if (search["clock"] === "wall" || search["clock"] === "event") out.clock = search["clock"];
  return out;
}

export const tabs = ["overview", "rollouts", "try"] as const;
export type Tab = (typeof tabs)[number];

/** The tab in an address. */
export function tabOf(search: Record<string, unknown>): { tab?: Tab } {
  const found = tabs.find((t) => t === search["tab"]);
  return found ? { tab: found } : {};
}
