import { UnstyledButton } from "@mantine/core";
import { ChevronDown, ChevronRight } from "lucide-react";
import { useState } from "react";
import { Empty } from "../../components/State";
import type { MetricSummary } from "../../data/run";
import { count } from "../../format/number";
import type { Range } from "../../charts/lines";
import css from "./Charts.module.css";
import { MetricChart, type ChartedRun } from "./MetricChart";
import { groupOf } from "./unit";
import type { ChartView } from "./view";

/** Whether a metric has one value, and so no history to draw. */
export function isSingle(m: MetricSummary): boolean {
  return m.step === 0 && m.min === m.max;
}

/** Up to how many metrics are not grouped. */
const FEW = 9;

interface ChartsProps {
  project: string;
  metrics: readonly string[];
  runs: readonly ChartedRun[];
  view: ChartView;
  onZoom: (zoom: Range | undefined) => void;
  live: boolean;
}

/** A chart for each metric, those with the same beginning of their names together. */
export function Charts({ metrics, ...rest }: ChartsProps) {
  const wanted = rest.view.find.toLowerCase();
  const found = metrics.filter((key) => key.toLowerCase().includes(wanted));
  if (found.length === 0) {
    return <Empty title={`No metric has “${rest.view.find}” in its name`} />;
  }
  if (metrics.length <= FEW) {
    return <Grid metrics={found} {...rest} />;
  }
  const groups = new Map<string, string[]>();
  for (const key of found) groups.set(groupOf(key), [...(groups.get(groupOf(key)) ?? []), key]);
  return (
    <div className={css.groups}>
      {[...groups].map(([name, keys]) => (
        <Group key={name} name={name} alone={groups.size === 1} metrics={keys} {...rest} />
      ))}
    </div>
  );
}

function Group({ name, alone, metrics, ...rest }: ChartsProps & { name: string; alone: boolean }) {
  const [open, setOpen] = useState(true);
  const Sign = open ? ChevronDown : ChevronRight;
  return (
    <section aria-label={name === "" ? "Metrics" : name}>
      {!alone && (
        <h3 className={css.head}>
          <UnstyledButton
            className={css.toggle ?? ""}
            aria-expanded={open}
            onClick={() => setOpen(!open)}
          >
            <Sign size={14} aria-hidden />
            {name === "" ? "Others" : name}{" "}
            <span className={css.count}>{count(metrics.length)}</span>
          </UnstyledButton>
        </h3>
      )}
      {open && <Grid metrics={metrics} {...rest} />}
    </section>
  );
}

function Grid({ metrics, ...rest }: ChartsProps) {
  return (
    <div className={css.grid}>
      {metrics.map((key) => (
        <MetricChart key={key} metric={key} height={metrics.length < 3 ? 320 : 190} {...rest} />
      ))}
    </div>
  );
}
