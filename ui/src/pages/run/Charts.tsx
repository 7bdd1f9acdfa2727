import { Button, UnstyledButton } from "@mantine/core";
import { ChevronDown, ChevronRight } from "lucide-react";
import { useState } from "react";
import { Empty } from "../../components/State";
import { count } from "../../format/number";
import type { Range } from "../../charts/lines";
import css from "./Charts.module.css";
import { MetricChart, type ChartedRun } from "./MetricChart";
import { groupOf } from "./unit";
import type { ChartView } from "./view";

/** Up to how many metrics are not grouped. */
const FEW = 9;
/** How many charts are there at once, of a group and of those that are open at first. */
const MANY = 48;

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
  let before = 0;
  return (
    <div className={css.groups}>
      {[...groups].map(([name, keys]) => {
        const first = before < MANY;
        before += keys.length;
        return (
          <Group
            key={name}
            name={name}
            alone={groups.size === 1}
            first={first}
            metrics={keys}
            {...rest}
          />
        );
      })}
    </div>
  );
}

interface GroupProps extends ChartsProps {
  name: string;
  alone: boolean;
  /** It is open until the reader closes it. */
  first: boolean;
}

function Group({ name, alone, first, metrics, ...rest }: GroupProps) {
  const [chosen, setOpen] = useState<boolean>();
  const open = alone || (chosen ?? first);
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
  const [most, setMost] = useState(MANY);
  return (
    <>
      <div className={css.grid}>
        {metrics.slice(0, most).map((key) => (
          <MetricChart key={key} metric={key} height={metrics.length < 3 ? 320 : 190} {...rest} />
        ))}
      </div>
      {metrics.length > most && (
        <Button variant="default" mt="sm" onClick={() => setMost(most + MANY)}>
          {`Show more of ${count(metrics.length)}`}
        </Button>
      )}
    </>
  );
}
