import { ActionIcon, Skeleton, Tabs } from "@mantine/core";
import { useQueries, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { X } from "lucide-react";
import { useMemo } from "react";
import { Swatch } from "../../charts/Swatch";
import { StatusBadge } from "../../components/Badge";
import { Choice } from "../../components/Choice";
import { Lines } from "../../components/Loaded";
import { To } from "../../components/links";
import { Page, Section } from "../../components/Page";
import { Empty, Failed, failureOf } from "../../components/State";
import {
  historiesOf,
  isGone,
  isLive,
  metricsQuery,
  newestQuery,
  runQuery,
  type MetricSummary,
  type TrackedRun,
} from "../../data/run";
import { plural } from "../../format/number";
import { Charts } from "./Charts";
import { ChartTools } from "./ChartTools";
import { columnsOf, type Compared } from "./columns";
import { CompareArtifacts } from "./CompareArtifacts";
import { CompareTable } from "./CompareTable";
import css from "./compare.module.css";
import page from "./run.module.css";
import { CompareParallel, CompareScatter } from "./Plots";
import { MOST_RUNS, NO_RUN, placesOf, type CompareSearch } from "./routes";
import { viewOf, zoomText } from "./view";

const from = "/p/$project/compare";
const NO_METRICS: MetricSummary[] = [];

/** A run of a comparison, and its place in the palette, from 1. */
interface Placed {
  run: TrackedRun;
  color: number;
}

/** Several runs side by side. */
export function ComparePage() {
  const { project } = useParams({ from });
  const search = useSearch({ from });
  const places = useMemo(() => placesOf(search.runs), [search.runs]);
  const asked = places.filter((id) => id !== NO_RUN);
  const shown = asked.slice(0, MOST_RUNS);
  const { runs, gone, pending, failed } = useQueries({
    queries: shown.map((id) => runQuery(project, id, shown.length)),
    combine: (got) => ({
      runs: got.flatMap(({ data: run }) =>
        run ? [{ run, color: places.indexOf(run.id) + 1 }] : [],
      ),
      gone: shown.filter((_, i) => isGone(got[i]?.error)),
      pending: got.some((g) => g.isPending),
      failed: got.find((g) => failureOf(g) != null && !isGone(g.error)),
    }),
  });
  if (asked.length === 0) {
    return (
      <Page title="Compare runs" crumbs={crumbs}>
        <Section title="No runs are chosen">
          <Empty title="Choose runs to compare">
            Select runs in the table of an <To path="experiments">experiment</To>, and then Compare.
          </Empty>
        </Section>
      </Page>
    );
  }
  const said = [
    ...(asked.length > MOST_RUNS
      ? [`The first ${MOST_RUNS} of ${asked.length} runs are shown.`]
      : []),
    ...(gone.length > 0 ? [`Not there any more: ${gone.join(", ")}.`] : []),
  ];
  return (
    <Page title={`Compare ${plural(pending ? shown.length : runs.length, "run")}`} crumbs={crumbs}>
      {failed && <Failed query={failed} />}
      {said.length > 0 && <p className={css.hint}>{said.join(" ")}</p>}
      {runs.length > 0 ? (
        <Comparison project={project} places={places} placed={runs} />
      ) : (
        pending && (
          <div role="status" aria-label="Loading" aria-busy="true">
            <Skeleton height={44} mb={16} />
            <Lines n={6} height={120} />
          </div>
        )
      )}
    </Page>
  );
}

const crumbs = [
  <To key="all" path="experiments">
    Experiments
  </To>,
];

interface ComparisonProps {
  project: string;
  places: readonly string[];
  placed: readonly Placed[];
}

function Comparison({ project, places, placed }: ComparisonProps) {
  const search = useSearch({ from });
  const navigate = useNavigate({ from });
  const set = (change: Partial<CompareSearch>) =>
    void navigate({ search: (old) => ({ ...old, ...change }), replace: true });
  const runs = useMemo(() => placed.map((p) => p.run), [placed]);
  const live = runs.some(isLive);
  const { all, pending, failed } = useQueries({
    queries: runs.map((r) => metricsQuery(project, r.id, isLive(r), runs.length)),
    combine: (got) => ({
      all: got.map((g) => g.data?.items ?? NO_METRICS),
      pending: got.some((g) => g.isPending),
      failed: got.find((g) => failureOf(g) != null),
    }),
  });
  const compared = useMemo<Compared[]>(
    () => runs.map((run, i) => ({ run, metrics: all[i] ?? NO_METRICS })),
    [runs, all],
  );
  const columns = useMemo(() => columnsOf(compared), [compared]);
  const lines = useMemo(
    () =>
      placed.map(({ run: r, color }) => ({
        id: r.id,
        label: labelOf(r, runs),
        color,
        startMS: r.start_ms,
      })),
    [placed, runs],
  );
  const { by, smooth, logx, logy, outliers, zoom, find } = search;
  const view = useMemo(
    () => viewOf({ by, smooth, logx, logy, outliers, zoom, find }),
    [by, smooth, logx, logy, outliers, zoom, find],
  );
  const histories = useMemo(() => historiesOf(all.flat()), [all]);
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
                set({ runs: places.map((id) => (id === line.id ? NO_RUN : id)).join(",") })
              }
            >
              <X size={13} aria-hidden />
            </ActionIcon>
          </li>
        ))}
        {runs.length < MOST_RUNS && (
          <li>
            <AddRun
              project={project}
              runs={runs}
              onAdd={(id) => set({ runs: withRun(places, id) })}
            />
          </li>
        )}
      </ul>
      {failed && <Failed query={failed} />}
      <Tabs
        value={tab}
        onChange={(next) => set({ tab: (next ?? undefined) as CompareSearch["tab"] })}
        keepMounted={false}
      >
        <Tabs.List mb="md" className={page.tabs ?? ""}>
          <Tabs.Tab value="charts">Charts</Tabs.Tab>
          <Tabs.Tab value="table">Differences</Tabs.Tab>
          <Tabs.Tab value="parallel">Parallel coordinates</Tabs.Tab>
          <Tabs.Tab value="scatter">Scatter</Tabs.Tab>
          <Tabs.Tab value="artifacts">Artifacts</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="charts">
          {histories.length === 0 ? (
            pending ? (
              <div role="status" aria-label="Loading" aria-busy="true">
                <Lines n={6} height={120} />
              </div>
            ) : (
              <Section title="Charts">
                <Empty
                  title="None of these runs has a metric with several values"
                  command={'mlflow.log_metric("loss", 0.42, step=1)'}
                />
              </Section>
            )
          ) : (
            <div className={page.charts}>
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

interface AddRunProps {
  project: string;
  runs: readonly TrackedRun[];
  onAdd: (id: string) => void;
}

/** The newest runs of the same experiments, to choose another from. */
function AddRun({ project, runs, onAdd }: AddRunProps) {
  const experiments = [...new Set(runs.map((r) => r.experiment))];
  const newest = useQuery(newestQuery(project, experiments));
  const others = newest.data?.items.filter((r) => !runs.some((have) => have.id === r.id)) ?? [];
  if (others.length === 0) return null;
  return (
    <Choice
      aria-label="Add a run"
      maw={220}
      placeholder="Add a run"
      value={null}
      onChange={(id) => id !== null && onAdd(id)}
      data={others.map((r) => ({ value: r.id, label: r.name || r.id }))}
    />
  );
}

/** The places with one more run, in the first that is free. */
function withRun(places: readonly string[], id: string): string {
  const free = places.indexOf(NO_RUN);
  return (free < 0 ? [...places, id] : places.with(free, id)).join(",");
}

/** A run's name; with a part of its id where another has the same. */
function labelOf(run: TrackedRun, all: readonly TrackedRun[]): string {
  if (run.name === "") return run.id;
  const same = all.filter((r) => r.name === run.name).length > 1;
  return same ? `${run.name} ${run.id.slice(0, 6)}` : run.name;
}
