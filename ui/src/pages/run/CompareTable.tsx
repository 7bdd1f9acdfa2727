import { Switch } from "@mantine/core";
import { Trophy } from "lucide-react";
import { Swatch } from "../../charts/Swatch";
import { Section } from "../../components/Page";
import { Empty } from "../../components/State";
import { duration, plural, UNKNOWN } from "../../format/number";
import { asNumber, betterOf, type Column } from "./columns";
import css from "./compare.module.css";
import type { ChartedRun } from "./MetricChart";
import { formatOf } from "./unit";

interface CompareTableProps {
  columns: readonly Column[];
  runs: readonly ChartedRun[];
  /** Also what all have in common. */
  all: boolean;
  onAll: (all: boolean) => void;
}

const kinds: [Column["kind"], string][] = [
  ["params", "Params"],
  ["metrics", "Metrics, their last values"],
  ["tags", "Tags"],
  ["run", "Run"],
];

/** What the runs differ in: a row for each param, metric and tag, a column for each run. */
export function CompareTable({ columns, runs, all, onAll }: CompareTableProps) {
  const shown = columns.filter((c) => all || c.differs);
  const same = columns.filter((c) => !c.differs).length;
  return (
    <Section
      title="Differences"
      about={all ? "and what all have in common" : `${plural(same, "row")} all have in common`}
      actions={
        <Switch
          label="Also what is the same"
          checked={all}
          onChange={(e) => onAll(e.currentTarget.checked)}
        />
      }
      flush
    >
      {shown.length === 0 ? (
        <Empty title={runs.length < 2 ? "One run differs from nothing" : "These runs are the same"}>
          Params, metrics and tags agree in all of them.
        </Empty>
      ) : (
        <div className={css.box} tabIndex={0} role="region" aria-label="Differences of the runs">
          <table className={css.table} aria-label="Differences of the runs">
            <thead>
              <tr>
                <th scope="col">Name</th>
                {runs.map((r) => (
                  <th key={r.id} scope="col">
                    <span className={css.head}>
                      <Swatch n={r.color} />
                      {r.label}
                    </span>
                  </th>
                ))}
              </tr>
            </thead>
            {kinds.map(([kind, title]) => (
              <Rows key={kind} title={title} columns={shown.filter((c) => c.kind === kind)} />
            ))}
          </table>
        </div>
      )}
    </Section>
  );
}

function Rows({ title, columns }: { title: string; columns: readonly Column[] }) {
  const [first] = columns;
  if (!first) return null;
  return (
    <tbody>
      <tr>
        <th className={css.kind} colSpan={first.values.length + 1} scope="rowgroup">
          {title}
        </th>
      </tr>
      {columns.map((c) => {
        const best = bestOf(c);
        return (
          <tr key={c.id} className={c.differs ? "" : css.same}>
            <th scope="row">{c.name}</th>
            {c.values.map((v, i) => (
              <td key={i} className={i === best ? css.best : ""}>
                {i === best && <Trophy size={12} className={css.bestSign} aria-label="best" />}
                {cellOf(c, v)}
              </td>
            ))}
          </tr>
        );
      })}
    </tbody>
  );
}

/** Which run has the best value of a metric; −1 when that says nothing. */
function bestOf(c: Column): number {
  const better = betterOf(c.name);
  if (c.kind !== "metrics" || !c.differs || !better) return -1;
  const sign = better === "high" ? 1 : -1;
  let best = -1;
  let most = Number.NEGATIVE_INFINITY;
  c.values.forEach((v, i) => {
    const n = asNumber(v);
    if (n !== undefined && Math.abs(n) < Number.MAX_VALUE && n * sign > most) {
      [best, most] = [i, n * sign];
    }
  });
  return best;
}

/** A value of a column as it is shown. */
export function cellOf(c: Column, v: number | string | undefined): string {
  if (v === undefined) return UNKNOWN;
  if (typeof v === "string") return c.id === "run.status" ? v.toLowerCase() : v;
  if (c.id === "run.duration") return duration(v);
  return formatOf(c.name)(v);
}
