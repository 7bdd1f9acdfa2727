import { significant } from "../../format/number";

export { rate } from "../../format/number";

interface InRole {
  version: number;
  role: string;
}

/** The version in a role that only one can have. */
export function versionIn(variants: readonly InRole[] | undefined, role: string) {
  return variants?.find((v) => v.role === role)?.version;
}

/** "12.5 %" of a percentage as the server says it. */
export function asPercent(percent: number): string {
  return `${significant(percent, 3)} %`;
}

/** The model of an endpoint's name. */
export function modelOf(endpoint: string): string {
  return endpoint.split("@")[0] ?? endpoint;
}

/** The environment of an endpoint's name. */
export function environmentOf(endpoint: string): string {
  return endpoint.split("@")[1] ?? "";
}

/** How a version's line is drawn, in every chart the same (styleOf); 32 can be told apart. */
export function colorOf(version: number): number {
  return version <= 0 ? GREY : ((version - 1) % 32) + 1;
}

/** The grey line with dashes: a limit, or no version at all. */
export const GREY = 16;
/** The blue line with dashes. */
export const BLUE = 9;

/** The version's colour alone, as a variable of the style. */
export function fillOf(version: number): string {
  return `var(--f-series-${((version - 1) % 8) + 1})`;
}

/** How a rollout came out or stands, as its badge says it. */
export function rolloutState(r: { state: string; outcome?: string | undefined }) {
  switch (r.outcome || r.state) {
    case "promoted":
      return { label: "promoted", tone: "good" } as const;
    case "rolledback":
      return { label: "rolled back", tone: "bad" } as const;
    case "aborted":
      return { label: "aborted", tone: "none" } as const;
    case "waiting_human":
      return { label: "asks a human", tone: "warn" } as const;
    default:
      return { label: "running", tone: "info" } as const;
  }
}

/** "Canary of version 4" */
export function rolloutName(r: { strategy: string; to: number }): string {
  const kind = r.strategy === "replace" ? "release" : r.strategy;
  return `${kind.charAt(0).toUpperCase()}${kind.slice(1)} of version ${r.to}`;
}
