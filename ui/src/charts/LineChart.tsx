import { useMantineColorScheme, useComputedColorScheme } from "@mantine/core";
import { useElementSize } from "@mantine/hooks";
import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import css from "./LineChart.module.css";

/** One line: y over the shared x; null is a gap. */
export interface Line {
  label: string;
  y: (number | null)[];
  /** 1 to 8: the place in the palette (--f-series-N). Default: its place among the lines. */
  color?: number;
}

interface LineChartProps {
  x: number[];
  lines: Line[];
  height?: number;
  /** Writes a value of an axis or of the legend. */
  formatX?: (x: number) => string;
  formatY?: (y: number) => string;
}

const PALETTE = 8;

/** Lines over a shared x axis. Drag zooms in, a double click shows all again. */
export function LineChart({
  x,
  lines,
  height = 180,
  formatX = String,
  formatY = String,
}: LineChartProps) {
  const { ref, width } = useElementSize<HTMLDivElement>();
  const at = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  useMantineColorScheme();
  const scheme = useComputedColorScheme();
  const shape = lines.map((l) => `${l.label}\u0000${l.color ?? ""}`).join("\u0001");
  const newest = useRef({ x, lines, formatX, formatY });
  useEffect(() => {
    newest.current = { x, lines, formatX, formatY };
  });

  useEffect(() => {
    if (!at.current || width === 0) return;
    const style = getComputedStyle(at.current);
    const ink = style.getPropertyValue("--f-dim");
    const grid = { stroke: style.getPropertyValue("--f-line"), width: 1 };
    const tell = (f: "formatX" | "formatY") => (_: uPlot, values: number[]) =>
      values.map((v) => newest.current[f](v));
    const axis = { stroke: ink, grid, ticks: grid, font: "11px system-ui, sans-serif" };
    const plot = new uPlot(
      {
        width,
        height,
        scales: { x: { time: false } },
        legend: { live: true },
        cursor: { y: false, points: { size: 6 } },
        axes: [
          { ...axis, values: tell("formatX"), size: 28 },
          { ...axis, values: tell("formatY"), size: 56 },
        ],
        series: [
          { value: (_, v) => (v === null ? "" : newest.current.formatX(v)) },
          ...newest.current.lines.map((l, i) => ({
            label: l.label,
            stroke: style.getPropertyValue(`--f-series-${l.color ?? (i % PALETTE) + 1}`),
            width: 1.5,
            spanGaps: false,
            value: (_: uPlot, v: number | null) => (v === null ? "" : newest.current.formatY(v)),
          })),
        ],
      },
      [newest.current.x, ...newest.current.lines.map((l) => l.y)],
      at.current,
    );
    chart.current = plot;
    return () => {
      chart.current = null;
      plot.destroy();
    };
  }, [width, height, scheme, shape]);

  useEffect(() => {
    chart.current?.setData([x, ...lines.map((l) => l.y)]);
  }, [x, lines]);

  return (
    <div ref={ref} className={css.chart} style={{ minHeight: height }}>
      <div ref={at} />
    </div>
  );
}
