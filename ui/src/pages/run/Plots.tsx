import { ActionIcon, SegmentedControl, Switch } from "@mantine/core";
import { useNavigate } from "@tanstack/react-router";
import { X } from "lucide-react";
import { useMemo } from "react";
import { Figure } from "../../charts/Figure";
import { ParallelCoordinates, type Axis } from "../../charts/ParallelCoordinates";
import { Scatter, type Point } from "../../charts/Scatter";
import { Choice } from "../../components/Choice";
import { DataTable } from "../../components/DataTable";
import { Section } from "../../components/Page";
import { Empty } from "../../components/State";
import { plural } from "../../format/number";
import { asNumber, betterOf, byInterest, paretoFront, type Better, type Column } from "./columns";
import { cellOf } from "./CompareTable";
import css from "./compare.module.css";
import type { ChartedRun } from "./MetricChart";
import type { CompareSearch } from "./routes";
import { formatOf } from "./unit";
import { keptOf, keptText, listOf } from "./view";

interface PlotProps {
  columns: readonly Column[];
  runs: readonly ChartedRun[];
  search: CompareSearch;
  set: (change: Partial<CompareSearch>) => void;
}

/** Columns to choose from, by their kinds. */
function choices(columns: readonly Column[]) {
  const names = { params: "Params", metrics: "Metrics", tags: "Tags", run: "Run" };
  return (Object.keys(names) as Column["kind"][])
    .map((kind) => ({
      group: names[kind],
      items: columns.filter((c) => c.kind === kind).map((c) => ({ value: c.id, label: c.name })),
    }))
    .filter((g) => g.items.length > 0);
}

const writer = (c: Column) => (x: number) => cellOf(c, x);

/** The first axes: what differs, six params and two metrics of it at most. */
function usualAxes(columns: readonly Column[]): string[] {
  const differing = columns.filter((c) => c.differs);
  const of = (kind: Column["kind"]) => differing.filter((c) => c.kind === kind);
  return [...of("params").slice(0, 6), ...byInterest(of("metrics")).slice(0, 2)].map((c) => c.id);
}

/** A line for each run over params and metrics. */
export function CompareParallel({ columns, runs, search, set }: PlotProps) {
  const chosen = useMemo(() => search.axes ?? usualAxes(columns), [search.axes, columns]);
  const shown = chosen.flatMap((id) => columns.find((c) => c.id === id) ?? []);
  const axes: Axis[] = shown.map((c) => ({
    id: c.id,
    name: c.name,
    values: c.numeric ? c.values.map(asNumber) : c.values,
    format: writer(c),
    log: c.kind === "params" && spansDecades(c),
  }));
  return (
    <Section title="Parallel coordinates" about={`of ${plural(runs.length, "run")}`}>
      <div className={css.tools}>
        <ul className={css.axes} aria-label="Axes">
          {shown.map((c) => (
            <li key={c.id} className={css.run}>
              {c.name}
              <ActionIcon
                size="sm"
                aria-label={`Leave out ${c.name}`}
                onClick={() => set({ axes: chosen.filter((id) => id !== c.id) })}
              >
                <X size={13} aria-hidden />
              </ActionIcon>
            </li>
          ))}
        </ul>
        <Choice
          aria-label="Add an axis"
          placeholder="Add an axis"
          data={choices(columns.filter((c) => !chosen.includes(c.id)))}
          value={null}
          onChange={(id) => id !== null && set({ axes: [...chosen, id] })}
        />
      </div>
      {axes.length < 2 ? (
        <Empty title="Choose two axes or more" />
      ) : (
        <Figure
          title="Runs over their params and metrics"
          describe={`${plural(runs.length, "run")} over ${axes.map((a) => a.name).join(", ")}`}
          table={() => <ColumnsTable columns={shown} runs={runs} />}
        >
          <ParallelCoordinates
            describe={`${plural(runs.length, "line")} over ${axes.map((a) => a.name).join(", ")}`}
            axes={axes}
            lines={runs}
            brushes={keptOf(search.kept)}
            onBrush={(kept) => set({ kept: keptText(kept) })}
          />
        </Figure>
      )}
    </Section>
  );
}

/** Numbers above zero that span two decades are read on a logarithmic axis. */
function spansDecades(c: Column): boolean {
  const numbers = c.values.map(asNumber).filter((v) => v !== undefined);
  const least = Math.min(...numbers);
  return c.numeric && least > 0 && Math.max(...numbers) / least >= 10;
}

function ColumnsTable({
  columns,
  runs,
}: {
  columns: readonly Column[];
  runs: readonly ChartedRun[];
}) {
  return (
    <DataTable
      label="Values of the runs"
      rows={runs.map((run, i) => ({ run, i }))}
      rowKey={({ run }) => run.id}
      columns={[
        { id: "run", head: "Run", cell: ({ run }) => run.label, sort: ({ run }) => run.label },
        ...columns.map((c) => ({
          id: c.id,
          head: c.name,
          numeric: c.numeric,
          cell: ({ i }: { i: number }) => cellOf(c, c.values[i]),
          sort: ({ i }: { i: number }) => (c.numeric ? asNumber(c.values[i]) : c.values[i]),
        })),
      ]}
    />
  );
}

/** Two values of each run, and which runs are not beaten in both. */
export function CompareScatter({
  project,
  columns,
  runs,
  search,
  set,
}: PlotProps & { project: string }) {
  const navigate = useNavigate();
  const numeric = columns.filter((c) => c.numeric);
  const differing = numeric.filter((c) => c.differs);
  // Two metrics that say which end is better make a front; else what was tried, and what came of it.
  const [best, second] = byInterest(differing.filter((c) => c.kind === "metrics"));
  const x =
    numeric.find((c) => c.id === search.x) ??
    (second && betterOf(second.name) ? second : undefined) ??
    differing.find((c) => c.kind === "params") ??
    differing[0];
  const y =
    numeric.find((c) => c.id === search.y) ??
    (best !== x ? best : undefined) ??
    differing.find((c) => c !== x);
  if (!x || !y) {
    return (
      <Section title="Scatter">
        <Empty title="These runs have no two numbers that differ" />
      </Section>
    );
  }
  const said = listOf(search.better);
  const side = (c: Column, v: string | undefined): Better =>
    v === "high" || v === "low" ? v : (betterOf(c.name) ?? "high");
  const better: [Better, Better] = [side(x, said[0]), side(y, said[1])];
  const pairs = runs.map((_, i) => {
    const [a, b] = [asNumber(x.values[i]), asNumber(y.values[i])];
    const there = (v: number | undefined) => v !== undefined && Math.abs(v) < Number.MAX_VALUE;
    return there(a) && there(b) ? ([a ?? 0, b ?? 0] as const) : undefined;
  });
  const front = paretoFront(pairs, better).flatMap((i) => runs[i] ?? []);
  const points = runs.flatMap<Point>((r, i) => {
    const pair = pairs[i];
    return pair ? [{ id: r.id, label: r.label, color: r.color, x: pair[0], y: pair[1] }] : [];
  });
  const left = runs.length - points.length;
  return (
    <Section
      title="Scatter"
      about={left > 0 ? `${plural(left, "run")} without these values` : undefined}
    >
      <div className={css.tools}>
        {(
          [
            ["x", "Across", x, 0],
            ["y", "Up", y, 1],
          ] as const
        ).map(([name, label, column, i]) => (
          <div key={name} className={css.choice}>
            <Choice
              label={label}
              data={choices(numeric)}
              value={column.id}
              onChange={(id) => set(name === "x" ? { x: id ?? undefined } : { y: id ?? undefined })}
            />
            <SegmentedControl
              aria-label={`${label}: which end is better`}
              value={better[i]}
              onChange={(v) =>
                set({ better: (i === 0 ? [v, better[1]] : [better[0], v]).join(",") })
              }
              data={[
                { value: "low", label: "Less is better" },
                { value: "high", label: "More is better" },
              ]}
            />
          </div>
        ))}
        <Switch
          label="Log x"
          checked={search.logx ?? false}
          onChange={(e) => set({ logx: e.currentTarget.checked || undefined })}
        />
        <Switch
          label="Log y"
          checked={search.logy ?? false}
          onChange={(e) => set({ logy: e.currentTarget.checked || undefined })}
        />
      </div>
      <Figure
        title={`${y.name} by ${x.name}`}
        describe={`${plural(points.length, "run")} by ${x.name} and ${y.name}; on the Pareto front: ${front.map((r) => r.label).join(", ")}`}
        table={() => <ColumnsTable columns={[x, y]} runs={runs} />}
      >
        <Scatter
          describe={`${y.name} by ${x.name}`}
          points={points}
          front={front.map((r) => r.id)}
          nameX={x.name}
          nameY={y.name}
          formatX={x.id === "run.duration" ? writer(x) : formatOf(x.name)}
          formatY={y.id === "run.duration" ? writer(y) : formatOf(y.name)}
          logX={search.logx ?? false}
          logY={search.logy ?? false}
          onOpen={(run) => void navigate({ to: "/p/$project/runs/$run", params: { project, run } })}
        />
      </Figure>
    </Section>
  );
}
