import { ActionIcon, Skeleton, Tabs } from "@mantine/core";
import { useQueries, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { X } from "lucide-react";
import { useMemo } from "react";
import { Swatch } from "../../charts/Swatch";
import { StatusBadge } from "../../components/Badge";
import { Lines } from "../../components/Loaded";
import { To } from "../../components/links";
import { Page, Section } from "../../components/Page";
import { Empty, Failure } from "../../components/State";
import { isLive, metricsQuery, runsQuery, type TrackedRun } from "../../data/run";
import { plural } from "../../format/number";
import { Charts, isSingle } from "./Charts";
import { ChartTools } from "./ChartTools";
import { columnsOf, type Compared } from "./columns";
import { CompareArtifacts } from "./CompareArtifacts";
import { CompareTable } from "./CompareTable";
import css from "./compare.module.css";
import type { MetricSummary } from "../../data/run";
import { CompareParallel, CompareScatter } from "./Plots";
import type { CompareSearch } from "./routes";
import { listOf, viewOf, zoomText } from "./view";

const from = "/p/$project/compare";
/** As many runs as can be told apart. */
const MOST = 32;

const NO_METRICS: MetricSummary[] = [];

/** Several runs side by side. */
export function ComparePage() {
  const { project } = useParams({ from });
  const search = useSearch({ from });
  const asked = useMemo(() => listOf(search.runs), [search.runs]);
  const ids = useMemo(() => asked.slice(0, MOST), [asked]);
  const runs = useQuery({ ...runsQuery(project, ids), enabled: ids.length > 0 });
  if (ids.length === 0) {
    return (
      <Page title="Compare runs">
        <Section title="No runs are chosen">
          <Empty title="Choose runs to compare">
            Select runs in the table of an <To path="experiments">experiment</To>, and then Compare.
          </Empty>
        </Section>
      </Page>
    );
  }
  return (
    <Page title={`Compare ${plural(runs.data?.length ?? ids.length, "run")}`}>
      {runs.isError && <Failure error={runs.error} retry={() => void runs.refetch()} />}
      {runs.data ? (
        <>
          <Missing asked={asked} found={runs.data} />
          <Comparison project={project} runs={runs.data} />
        </>
      ) : (
        !runs.isError && (
          <div role="status" aria-label="Loading" aria-busy="true">
            <Skeleton height={44} mb={16} />
            <Lines n={6} height={120} />
          </div>
        )
      )}
    </Page>
  );
}

function Missing({ asked, found }: { asked: readonly string[]; found: readonly TrackedRun[] }) {
  const gone = asked.slice(0, MOST).filter((id) => !found.some((r) => r.id === id));
  const said = [
    ...(asked.length > MOST ? [`The first ${MOST} of ${asked.length} runs are shown.`] : []),
    ...(gone.length > 0 ? [`Not there any more: ${gone.join(", ")}.`] : []),
  ];
  return said.length > 0 ? <p className={css.hint}>{said.join(" ")}</p> : null;
}

function Comparison({ project, runs }: { project: string; runs: readonly TrackedRun[] }) {
  const search = useSearch({ from });
  const navigate = useNavigate({ from });
  const set = (change: Partial<CompareSearch>) =>
    void navigate({ search: (old) => ({ ...old, ...change }), replace: true });
  const live = runs.some(isLive);
  const { all, pending, failed } = useQueries({
    queries: runs.map((r) => metricsQuery(project, r.id, isLive(r))),
    combine: (got) => ({
      all: got.map((g) => g.data?.items ?? NO_METRICS),
      pending: got.some((g) => g.isPending),
      failed: got.find((g) => g.isError),
    }),
  });
  const compared = useMemo<Compared[]>(
    () => runs.map((run, i) => ({ run, metrics: all[i] ?? NO_METRICS })),
    [runs, all],
  );
  const columns = useMemo(() => columnsOf(compared), [compared]);
  const lines = useMemo(
    () =>
      runs.map((r, i) => ({
        id: r.id,
        label: labelOf(r, runs),
        color: i + 1,
        startMS: r.start_ms,
      })),
    [runs],
  );
  const { by, smooth, logx, logy, outliers, zoom, find } = search;
  const view = useMemo(
    () => viewOf({ by, smooth, logx, logy, outliers, zoom, find }),
    [by, smooth, logx, logy, outliers, zoom, find],
  );
  const histories = useMemo(
    () =>
      [...new Set(all.flatMap((ms) => ms.filter((m) => !isSingle(m)).map((m) => m.key)))].sort(),
    [all],
  );
  const tab = search.tab ?? (histories.length > 0 || pending ? "charts" : "table");
  return (
    <>
      <ul className={css.runs} aria-label="Runs">
        {lines.map((line, i) => (
          <li key={line.id} className={css.run}>
            <Swatch n={line.color} />
            <Link
              to="/p/$project/runs/$run"
              params={{ project, run: line.id }}
              className={css.link}
            >
              {line.label}
            </Link>
            {runs[i]?.status !== "FINISHED" && <StatusBadge state={runs[i]?.status ?? ""} />}
            <ActionIcon
              data-tip="Leave out"
              size="sm"
              aria-label={`Leave out ${line.label}`}
              onClick={() =>
                set({ runs: runs.flatMap((r) => (r.id === line.id ? [] : r.id)).join(",") })
              }
            >
              <X size={13} aria-hidden />
            </ActionIcon>
          </li>
        ))}
      </ul>
      {failed?.error && <Failure error={failed.error} retry={() => void failed.refetch()} />}
      <Tabs
        value={tab}
        onChange={(next) => set({ tab: (next ?? undefined) as CompareSearch["tab"] })}
        keepMounted={false}
      >
        <Tabs.List mb="md" className={css.tabs ?? ""}>
          <Tabs.Tab value="charts">Charts</Tabs.Tab>
          <Tabs.Tab value="table">Differences</Tabs.Tab>
          <Tabs.Tab value="parallel">Parallel coordinates</Tabs.Tab>
          <Tabs.Tab value="scatter">Scatter</Tabs.Tab>
          <Tabs.Tab value="artifacts">Artifacts</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="charts">
          {histories.length === 0 && !pending ? (
            <Section title="Charts">
              <Empty
                title="None of these runs has a metric with several values"
                command={'mlflow.log_metric("loss", 0.42, step=1)'}
              />
            </Section>
          ) : (
            <div className={css.charts}>
              <ChartTools search={search} onChange={set} />
              <Charts
                project={project}
                metrics={histories}
                runs={lines}
                view={view}
                onZoom={(range) => set({ zoom: zoomText(range) })}
                live={live}
              />
            </div>
          )}
        </Tabs.Panel>
        <Tabs.Panel value="table">
          <CompareTable
            columns={columns}
            runs={lines}
            all={search.all ?? false}
            onAll={(v) => set({ all: v || undefined })}
          />
        </Tabs.Panel>
        <Tabs.Panel value="parallel">
          <CompareParallel columns={columns} runs={lines} search={search} set={set} />
        </Tabs.Panel>
        <Tabs.Panel value="scatter">
          <CompareScatter
            project={project}
            columns={columns}
            runs={lines}
            search={search}
            set={set}
          />
        </Tabs.Panel>
        <Tabs.Panel value="artifacts">
          <CompareArtifacts
            project={project}
            runs={lines}
            path={search.path ?? ""}
            onShow={(path) => set({ path: path === "" ? undefined : path })}
          />
        </Tabs.Panel>
      </Tabs>
    </>
  );
}

/** A run's name; with a part of its id where another has the same. */
function labelOf(run: TrackedRun, all: readonly TrackedRun[]): string {
  if (run.name === "") return run.id;
  const same = all.filter((r) => r.name === run.name).length > 1;
  return same ? `${run.name} ${run.id.slice(0, 6)}` : run.name;
}
