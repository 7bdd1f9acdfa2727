import { Skeleton, Tabs } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useMemo, useState, type ReactNode } from "react";
import { StatusBadge } from "../../components/Badge";
import { Lines, Loaded } from "../../components/Loaded";
import { To } from "../../components/links";
import { useNow } from "../../components/now";
import { Page, Section } from "../../components/Page";
import { Empty, Failed, failureOf, Old } from "../../components/State";
import { Time } from "../../components/Time";
import {
  historiesOf,
  isLive,
  metricsQuery,
  runQuery,
  type MetricSummary,
  type TrackedRun,
} from "../../data/run";
import { duration } from "../../format/number";
import { Actions, InTrash } from "./Actions";
import { Artifacts, type Root } from "./Artifacts";
import { Charts } from "./Charts";
import { ChartTools } from "./ChartTools";
import { Logs } from "./Logs";
import { Overview } from "./Overview";
import type { RunSearch } from "./routes";
import css from "./run.module.css";
import { viewOf, zoomText } from "./view";

const from = "/p/$project/experiments/$experiment/runs/$run";

/** One tracked run. */
export function RunPage() {
  const { project, run: id } = useParams({ from });
  const run = useQuery(runQuery(project, id));
  if (run.data === undefined) {
    return (
      <Page title={failureOf(run) != null ? "Run" : "…"}>
        {failureOf(run) != null ? (
          <Failed query={run} />
        ) : (
          <div role="status" aria-label="Loading" aria-busy="true">
            <Skeleton height={34} mb={16} width={320} />
            <Lines n={12} height={22} />
          </div>
        )}
      </Page>
    );
  }
  return (
    <>
      <Old query={run} />
      <Run key={id} project={project} run={run.data} />
    </>
  );
}

function Run({ project, run }: { project: string; run: TrackedRun }) {
  const search = useSearch({ from });
  const navigate = useNavigate({ from });
  const live = isLive(run);
  const metrics = useQuery(metricsQuery(project, run.id, live));
  const set = (change: RunSearch) =>
    void navigate({ search: (old) => ({ ...old, ...change }), replace: true });
  const histories = useMemo(() => historiesOf(metrics.data?.items ?? []), [metrics.data]);
  // What is open without a choice is decided once: a page that is read does not turn over.
  const [usual, setUsual] = useState<RunSearch["tab"]>();
  if (usual === undefined && !metrics.isPending) {
    setUsual(histories.length > 0 || (live && !metrics.isError) ? "charts" : "overview");
  }
  const tab = search.tab ?? usual ?? null;
  const loaded = (draw: (all: NonNullable<typeof metrics.data>) => ReactNode) => (
    <Loaded query={metrics} skeleton={<Lines n={6} height={120} />}>
      {draw}
    </Loaded>
  );
  return (
    <Page
      title={run.name === "" ? run.id : run.name}
      crumbs={[
        <To key="all" path="experiments">
          Experiments
        </To>,
        <To key="one" path={`experiments/${run.experiment}`}>
          {run.experiment_name}
        </To>,
        ...(run.parent
          ? [
              <Link
                key="parent"
                to="/p/$project/runs/$run"
                params={{ project, run: run.parent.id }}
              >
                {run.parent.name}
              </Link>,
            ]
          : []),
      ]}
      badge={
        <>
          <StatusBadge state={run.status} />
          {(run.deleted_ms ?? run.experiment_deleted_ms) !== undefined && (
            <StatusBadge state="deleted" tone="warn" label="in the trash" />
          )}
        </>
      }
      about={
        <>
          started <Time at={run.start_ms} />
          {run.user && ` by ${run.user}`} · <Took run={run} />
        </>
      }
      actions={<Actions project={project} run={run} />}
    >
      <InTrash project={project} run={run} />
      <Tabs
        value={tab}
        onChange={(next) => set({ tab: (next ?? undefined) as RunSearch["tab"] })}
        keepMounted={false}
      >
        <Tabs.List mb="md" className={css.tabs ?? ""}>
          <Tabs.Tab value="overview">Overview</Tabs.Tab>
          <Tabs.Tab value="charts">Charts</Tabs.Tab>
          <Tabs.Tab value="artifacts">Artifacts</Tabs.Tab>
          <Tabs.Tab value="logs">Logs</Tabs.Tab>
        </Tabs.List>
        {tab === null && loaded(() => null)}
        <Tabs.Panel value="overview">
          <Overview
            project={project}
            run={run}
            metrics={metrics}
            onMetric={(key) => set({ tab: "charts", find: key })}
          />
        </Tabs.Panel>
        <Tabs.Panel value="charts">
          {loaded(({ items }) => (
            <RunCharts
              project={project}
              run={run}
              metrics={items}
              histories={histories}
              search={search}
              set={set}
            />
          ))}
        </Tabs.Panel>
        <Tabs.Panel value="artifacts">
          <Section title="Artifacts" about={<code className={css.uri}>{run.artifact_uri}</code>}>
            <Artifacts
              project={project}
              roots={rootsOf(run)}
              of={search.of ?? ""}
              path={search.path ?? ""}
              onShow={(of, path) => set({ of: of === "" ? undefined : of, path })}
              live={live}
            />
          </Section>
        </Tabs.Panel>
        <Tabs.Panel value="logs">
          <Logs project={project} run={run} log={search.log ?? ""} onLog={(log) => set({ log })} />
        </Tabs.Panel>
      </Tabs>
    </Page>
  );
}

/** How long a run took, or has been going on. */
function Took({ run }: { run: TrackedRun }) {
  const now = useNow();
  if (run.end_ms) return <>took {duration(run.end_ms - run.start_ms)}</>;
  return isLive(run) ? (
    <>for {duration(Math.max(0, Math.floor((now - run.start_ms) / 1000) * 1000))}</>
  ) : (
    <>has no end</>
  );
}

function rootsOf(run: TrackedRun): Root[] {
  return [
    { name: "Run", owner: { run: run.id }, id: "" },
    ...run.model_outputs
      .filter((m) => m.name !== undefined)
      .map((m) => ({ name: `Model ${m.name}`, owner: { logged_model: m.id }, id: m.id })),
  ];
}

interface RunChartsProps {
  project: string;
  run: TrackedRun;
  metrics: readonly MetricSummary[];
  histories: readonly string[];
  search: RunSearch;
  set: (change: RunSearch) => void;
}

function RunCharts({ project, run, metrics, histories, search, set }: RunChartsProps) {
  const runs = useMemo(
    () => [{ id: run.id, label: run.name || run.id, color: 1, startMS: run.start_ms }],
    [run.id, run.name, run.start_ms],
  );
  const { by, smooth, logx, logy, outliers, zoom, find } = search;
  const view = useMemo(
    () => viewOf({ by, smooth, logx, logy, outliers, zoom, find }),
    [by, smooth, logx, logy, outliers, zoom, find],
  );
  if (metrics.length === 0) {
    return (
      <Section title="Charts">
        <Empty
          title={isLive(run) ? "No metrics yet; they show here as they come" : "No metrics"}
          command={'mlflow.log_metric("loss", 0.42, step=1)'}
        />
      </Section>
    );
  }
  if (histories.length === 0) {
    return (
      <Section title="Charts">
        <Empty
          title="Each metric has one value"
          command={'mlflow.log_metric("loss", 0.42, step=1)'}
        >
          The overview lists them. A chart wants values at several steps.
        </Empty>
      </Section>
    );
  }
  return (
    <div className={css.charts}>
      <ChartTools search={search} onChange={set} />
      <Charts
        project={project}
        metrics={histories}
        runs={runs}
        view={view}
        onZoom={(range) => set({ zoom: zoomText(range) })}
        live={isLive(run)}
      />
    </div>
  );
}
