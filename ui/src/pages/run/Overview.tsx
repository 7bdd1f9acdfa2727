import { Anchor, TextInput } from "@mantine/core";
import { useQuery, type UseQueryResult } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Search } from "lucide-react";
import { useState, type ReactNode } from "react";
import { StatusBadge } from "../../components/Badge";
import { Command } from "../../components/Command";
import { CopyButton } from "../../components/CopyButton";
import { DataTable } from "../../components/DataTable";
import { Loaded } from "../../components/Loaded";
import { Section } from "../../components/Page";
import { Facts } from "../../components/Stat";
import { Empty } from "../../components/State";
import { Time } from "../../components/Time";
import { nestedQuery, type MetricSummary, type TrackedRun } from "../../data/run";
import { count, plural } from "../../format/number";
import { Lineage } from "./Lineage";
import { isOfProgram, Notes } from "./Notes";
import css from "./Overview.module.css";
import { recipe } from "./reproduce";
import { formatOf } from "./unit";

interface OverviewProps {
  project: string;
  run: TrackedRun;
  metrics: UseQueryResult<{ items: MetricSummary[]; more: boolean }>;
  /** Shows the chart of a metric. */
  onMetric: (key: string) => void;
}

/** All that a run noted, but for its files and histories. */
export function Overview({ project, run, metrics, onMetric }: OverviewProps) {
  return (
    <div className={css.overview}>
      <div className={css.main}>
        <Metrics metrics={metrics} onMetric={onMetric} />
        <Pairs
          title="Params"
          pairs={run.params}
          empty={<Empty title="No params" command={'mlflow.log_params({"learning_rate": 0.1})'} />}
        />
        <Tags tags={run.tags} />
      </div>
      <div className={css.side}>
        <About project={project} run={run} />
        <Notes project={project} run={run} />
        <Reproduce run={run} />
        <Nested project={project} run={run} />
      </div>
      <div className={css.whole}>
        <Lineage project={project} run={run} />
      </div>
    </div>
  );
}

function About({ project, run }: { project: string; run: TrackedRun }) {
  const commit = run.tags["fairlead.commit"] ?? run.tags["mlflow.source.git.commit"];
  const source = run.tags["mlflow.source.name"];
  const items: [string, ReactNode][] = [
    ["Started", <Time key="t" at={run.start_ms} />],
    ["Ended", run.end_ms ? <Time key="t" at={run.end_ms} /> : "not yet"],
    ["By", run.user || "unknown"],
    ...(source ? [["Source", <code key="s">{source}</code>] satisfies [string, ReactNode]] : []),
    ...(commit
      ? [
          ["Commit", <Copied key="c" text={commit} shown={commit.slice(0, 10)} />] satisfies [
            string,
            ReactNode,
          ],
        ]
      : []),
    ...(run.parent
      ? [
          [
            "Nested in",
            <Link key="p" to="/p/$project/runs/$run" params={{ project, run: run.parent.id }}>
              {run.parent.name}
            </Link>,
          ] satisfies [string, ReactNode],
        ]
      : []),
    ["Id", <Copied key="i" text={run.id} shown={run.id} />],
  ];
  return (
    <Section title="About">
      <Facts items={items} />
    </Section>
  );
}

function Copied({ text, shown }: { text: string; shown: string }) {
  return (
    <span className={css.copied}>
      <code>{shown}</code>
      <CopyButton text={text} />
    </span>
  );
}

function Reproduce({ run }: { run: TrackedRun }) {
  const how = recipe(run);
  return (
    <Section title="Do it again">
      {how ? (
        <>
          <Command label="commands that repeat the run">{how.command}</Command>
          {how.open && <p className={css.hint}>{how.open}</p>}
        </>
      ) : (
        <p className={css.hint}>
          The run did not note how it was started. MLflow’s client does so when it runs in a Git
          repository.
        </p>
      )}
    </Section>
  );
}

/** From how many rows on a table can be searched. */
const MANY = 12;

function Find({
  what,
  value,
  onChange,
}: {
  what: string;
  value: string;
  onChange: (v: string) => void;
}) {
  return (
    <TextInput
      aria-label={`Find ${what}`}
      placeholder={`Find ${what}`}
      leftSection={<Search size={14} aria-hidden />}
      value={value}
      onChange={(e) => onChange(e.currentTarget.value)}
    />
  );
}

const has = (text: string, wanted: string) => text.toLowerCase().includes(wanted.toLowerCase());

function Metrics({ metrics, onMetric }: Pick<OverviewProps, "metrics" | "onMetric">) {
  const [find, setFind] = useState("");
  const n = metrics.data?.items.length ?? 0;
  const number = (name: "last" | "best" | "min" | "max") => ({
    numeric: true,
    sort: (m: MetricSummary) => m[name] ?? null,
    cell: (m: MetricSummary) => {
      const v = m[name];
      if (name === "best" && v === undefined) return "";
      return v === null && name === "last" ? "NaN" : v == null ? "–" : formatOf(m.key)(v);
    },
  });
  return (
    <Section
      title="Metrics"
      about={n > 0 ? plural(n, "metric") : undefined}
      actions={n > MANY && <Find what="metrics" value={find} onChange={setFind} />}
      flush
    >
      <Loaded
        query={metrics}
        isEmpty={(m) => m.items.length === 0}
        empty={<Empty title="No metrics" command={'mlflow.log_metric("loss", 0.42, step=1)'} />}
      >
        {(m) => (
          <>
            <DataTable
              label="Metrics of the run"
              rows={m.items.filter((x) => has(x.key, find))}
              rowKey={(x) => x.key}
              columns={[
                {
                  id: "key",
                  head: "Metric",
                  sort: (x) => x.key,
                  cell: (x) => (
                    <Anchor
                      component="button"
                      type="button"
                      size="sm"
                      className={css.key ?? ""}
                      onClick={() => onMetric(x.key)}
                    >
                      {x.key}
                    </Anchor>
                  ),
                },
                { id: "last", head: "Last", ...number("last") },
                { id: "best", head: "Best", ...number("best") },
                { id: "min", head: "Least", minor: true, ...number("min") },
                { id: "max", head: "Highest", minor: true, ...number("max") },
                {
                  id: "step",
                  head: "Step",
                  numeric: true,
                  minor: true,
                  sort: (x) => x.step,
                  cell: (x) => count(x.step),
                },
              ]}
            />
            {m.more && <p className={css.hint}>There are more; these are the first {count(n)}.</p>}
          </>
        )}
      </Loaded>
    </Section>
  );
}

interface PairsProps {
  title: string;
  pairs: Record<string, string>;
  empty: ReactNode;
}

function Pairs({ title, pairs, empty }: PairsProps) {
  const [find, setFind] = useState("");
  const all = Object.entries(pairs).sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true }));
  return (
    <Section
      title={title}
      actions={
        all.length > MANY && <Find what={title.toLowerCase()} value={find} onChange={setFind} />
      }
      flush
    >
      {all.length === 0 ? (
        empty
      ) : (
        <DataTable
          label={`${title} of the run`}
          rows={all.filter(([k, v]) => has(k, find) || has(v, find))}
          rowKey={([k]) => k}
          columns={[
            {
              id: "k",
              head: "Name",
              cell: ([k]) => <span className={css.key}>{k}</span>,
              sort: ([k]) => k,
            },
            {
              id: "v",
              head: "Value",
              cell: ([, v]) => <span className={css.value}>{v}</span>,
              sort: ([, v]) => v,
            },
          ]}
        />
      )}
    </Section>
  );
}

/** What programs noted for themselves; what people did stands beside their notes. */
function Tags({ tags }: { tags: Record<string, string> }) {
  const shown = Object.fromEntries(Object.entries(tags).filter(([k]) => isOfProgram(k)));
  const n = Object.keys(shown).length;
  if (n === 0) return null;
  return (
    <details>
      <summary className={css.summary}>{plural(n, "tag")} of programs</summary>
      <Pairs title="Tags of programs" pairs={shown} empty={null} />
    </details>
  );
}

function Nested({ project, run }: { project: string; run: TrackedRun }) {
  const nested = useQuery(nestedQuery(project, run.id));
  if (!nested.data || nested.data.items.length === 0) return null;
  const { items, total } = nested.data;
  const ids = items.slice(0, 50).map((r) => r.id);
  return (
    <Section
      title="Nested runs"
      about={total > items.length ? `the newest ${items.length} of ${count(total)}` : count(total)}
      actions={
        items.length > 1 && (
          <Link to="/p/$project/compare" params={{ project }} search={{ runs: ids.join(",") }}>
            Compare
          </Link>
        )
      }
      flush
    >
      <DataTable
        label="Runs that are nested"
        rows={items}
        rowKey={(r) => r.id}
        columns={[
          {
            id: "name",
            head: "Run",
            cell: (r) => (
              <Link
                to="/p/$project/experiments/$experiment/runs/$run"
                params={{ project, experiment: r.experiment, run: r.id }}
                className={css.key}
              >
                {r.name}
              </Link>
            ),
            sort: (r) => r.name,
          },
          { id: "status", head: "State", cell: (r) => <StatusBadge state={r.status} /> },
          {
            id: "start",
            head: "Started",
            cell: (r) => <Time at={r.start_ms} />,
            sort: (r) => r.start_ms,
          },
        ]}
      />
    </Section>
  );
}
