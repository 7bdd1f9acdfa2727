import type { Axis } from "../../charts/history";
import type { Range } from "../../charts/lines";

/** How charts are looked at, as it stands in the address; what is usual stands there not. */
export interface ChartSearch {
  by?: "time" | "relative" | undefined;
  /** Percent. */
  smooth?: number | undefined;
  logx?: true | undefined;
  logy?: true | undefined;
  outliers?: "out" | undefined;
  /** The part of the x axis in sight: from~to. */
  zoom?: string | undefined;
  /** Shows the metrics with this in their names. */
  find?: string | undefined;
}

/** How charts are looked at. */
export interface ChartView {
  axis: Axis;
  smoothing: number;
  logX: boolean;
  logY: boolean;
  withoutOutliers: boolean;
  zoom: Range | undefined;
  find: string;
}

type Raw = Record<string, unknown>;

const text = (raw: Raw, name: string) => {
  const v = raw[name];
  return typeof v === "string" && v !== "" ? v : typeof v === "number" ? String(v) : undefined;
};

/** Reads the part of an address that says how charts are looked at. */
export function chartSearch(raw: Raw): ChartSearch {
  const smooth = Number(raw["smooth"]);
  const by = raw["by"];
  return {
    by: by === "time" || by === "relative" ? by : undefined,
    smooth: smooth > 0 && smooth < 100 ? smooth : undefined,
    logx: raw["logx"] === true ? true : undefined,
    logy: raw["logy"] === true ? true : undefined,
    outliers: raw["outliers"] === "out" ? "out" : undefined,
    zoom: zoomOf(text(raw, "zoom")) ? text(raw, "zoom") : undefined,
    find: text(raw, "find"),
  };
}

function zoomOf(zoom: string | undefined): Range | undefined {
  const [from, to] = (zoom ?? "").split("~").map(Number);
  if (zoom === undefined || from === undefined || to === undefined) return undefined;
  return from < to && Number.isFinite(from) && Number.isFinite(to) ? [from, to] : undefined;
}

export function viewOf(search: ChartSearch): ChartView {
  return {
    axis: search.by ?? "step",
    smoothing: (search.smooth ?? 0) / 100,
    logX: search.logx ?? false,
    logY: search.logy ?? false,
    withoutOutliers: search.outliers === "out",
    zoom: zoomOf(search.zoom),
    find: search.find ?? "",
  };
}

/** A zoom as it stands in the address. */
export function zoomText(zoom: Range | undefined): string | undefined {
  return zoom && zoom.map((v) => Number(v.toPrecision(14))).join("~");
}

/** A list of texts in an address, such as run ids, separated by commas. */
export function listOf(raw: unknown): string[] {
  if (Array.isArray(raw)) return raw.map(String);
  if (typeof raw === "number") return [String(raw)];
  if (typeof raw !== "string") return [];
  if (raw.startsWith("[")) {
    try {
      const parsed: unknown = JSON.parse(raw); // as MLflow writes it
      return Array.isArray(parsed) ? parsed.map(String) : [];
    } catch {
      return [];
    }
  }
  return raw.split(",").filter((s) => s !== "");
}

/** What is kept of axes, by their ids, as the address has it; what is nonsense is left out. */
export function keptOf(texts: readonly string[] | undefined): Map<string, Range> {
  const kept = new Map<string, Range>();
  for (const text of texts ?? []) {
    const [, id, zoom] = /^(.+?)~([\d.]+~[\d.]+)$/.exec(text) ?? [];
    const range = zoomOf(zoom);
    if (id !== undefined && range && range[1] <= 1) kept.set(id, range);
  }
  return kept;
}

/** What is kept of axes as it stands in the address. */
export function keptText(kept: ReadonlyMap<string, Range>): string[] | undefined {
  if (kept.size === 0) return undefined;
  return [...kept].map(
    ([id, range]) => `${id}~${range.map((v) => Number(v.toFixed(3))).join("~")}`,
  );
}
