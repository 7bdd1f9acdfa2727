import { Tabs } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { StatusBadge } from "../../components/Badge";
import { Command } from "../../components/Command";
import { DataTable } from "../../components/DataTable";
import { Lines, Loaded } from "../../components/Loaded";
import { Columns, Section } from "../../components/Page";
import { Facts } from "../../components/Stat";
import { Empty } from "../../components/State";
import { Time } from "../../components/Time";
import { DatasetLink, RunLink } from "../../components/links";
import {
  pipelineStep,
  type PipelineDetail,
  type PipelineRun,
  type PipelineStep,
  stepName,
} from "../../data/pipelines";
import { bytes, count, duration, plural, value } from "../../format/number";
import { LogView } from "./LogView";
import css from "./pipelines.module.css";
import { RerunButton } from "./Rerun";
import { stepViews, type StepView } from "./routes";
import { span, stepLabel } from "./steps";
import { Why } from "./Why";

interface StepPanelProps {
  project: string;
  run: PipelineRun;
  step: PipelineStep;
  tries: number;
  now: number;
  view: StepView;
  onView: (view: StepView) => void;
}

const titles: Record<StepView, string> = { log: "Log", why: "Why", details: "Inputs and outputs" };

/** One step of a run: its log, why it ran, what it read and made. */
export function StepPanel(props: StepPanelProps) {
  const { project, run, step, view, tries } = props;
  const name = stepName(step);
  const s = span(step, props.now);
  return (
    <Section
      title={`Step ${stepLabel(step, tries)}`}
      about={
        <span className={css.state}>
          <StatusBadge state={step.state} />
          {step.state !== "cached" && (
            <span>
              {step.state === "running" ? "runs for" : "ran"} {duration(s.ended - s.started)}
            </span>
          )}
          {s.started > s.queued && <span>waited {duration(s.started - s.queued)}</span>}
          {step.exit && step.state !== "cached" && (
            <span>
              {bytes(step.exit.max_rss_bytes)} of memory,{" "}
              {duration(step.exit.user_ms + step.exit.sys_ms)} of CPU
            </span>
          )}
        </span>
      }
      actions={<RerunButton project={project} run={run} from={name} label="Run again from here" />}
    >
      {step.error && step.state === "failed" && (
        <pre className={css.error}>
          {step.error.split("\n")[0]?.replace(/; the end of its log:$/, "")}
        </pre>
      )}
      <Tabs
        value={view}
        onChange={(v) => {
          const next = stepViews.find((known) => known === v);
          if (next) props.onView(next);
        }}
        keepMounted={false}
      >
        <Tabs.List mb="sm">
          {stepViews.map((v) => (
            <Tabs.Tab key={v} value={v}>
              {titles[v]}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value="log">
          <LogView
            key={`${run.id} ${name}`}
            project={project}
            run={run.id}
            step={name}
            file={`${run.id}-${name}.log`}
          />
        </Tabs.Panel>
        <Tabs.Panel value="why">
          <Why project={project} run={run.id} step={name} />
        </Tabs.Panel>
        <Tabs.Panel value="details">
          <Details project={project} run={run} name={name} />
        </Tabs.Panel>
      </Tabs>
    </Section>
  );
}

function Details({ project, run, name }: { project: string; run: PipelineRun; name: string }) {
  const step = useQuery(pipelineStep(project, run.id, name));
  return (
    <Loaded query={step} skeleton={<Lines n={8} />}>
      {(detail) => (
        <div className={css.dialog}>
          <Columns min={360}>
            <Inputs project={project} run={run} detail={detail} />
            <Outputs detail={detail} />
          </Columns>
          <Columns min={360}>
            <Settings run={run} detail={detail} />
            <Printed detail={detail} />
          </Columns>
        </div>
      )}
    </Loaded>
  );
}

interface DetailProps {
  project: string;
  run: PipelineRun;
  detail: PipelineDetail;
}

function Inputs({ project, run, detail }: DetailProps) {
  return (
    <div>
      <h3 className={css.sub}>Inputs</h3>
      {detail.inputs.length === 0 ? (
        <p className={css.dim}>It reads no inputs.</p>
      ) : (
        <DataTable
          label="Inputs"
          rows={detail.inputs}
          rowKey={(i) => i.name}
          columns={[
            { id: "name", head: "Name", cell: (i) => <code>{i.name}</code> },
            {
              id: "from",
              head: "From",
              cell: (i) => {
                if (i.step) {
                  return (
                    <Link
                      to="/p/$project/pipelines/$run"
                      params={{ project, run: run.id }}
                      search={(was) => ({ ...was, step: i.step ?? "" })}
                      resetScroll={false}
                    >
                      step {i.step}
                    </Link>
                  );
                }
                return i.data && <DatasetLink dataset={i.data.dataset} n={i.data.n} />;
              },
            },
            { id: "digest", head: "Content", cell: (i) => <Digest of={i.digest} /> },
          ]}
        />
      )}
    </div>
  );
}

function Outputs({ detail }: { detail: PipelineDetail }) {
  const outputs = detail.outputs ?? [];
  return (
    <div>
      <h3 className={css.sub}>Outputs</h3>
      {outputs.length === 0 ? (
        <p className={css.dim}>
          {detail.state === "running" ? "It has made no outputs yet." : "It made no outputs."}
        </p>
      ) : (
        <DataTable
          label="Outputs"
          rows={outputs}
          rowKey={(o) => o.name}
          columns={[
            { id: "name", head: "Name", cell: (o) => <code>{o.name}</code> },
            {
              id: "files",
              head: "Files",
              cell: (o) => (o.dir ? plural(o.files, "file") : "a file"),
            },
            { id: "bytes", head: "Size", cell: (o) => bytes(o.bytes), numeric: true },
            { id: "digest", head: "Content", cell: (o) => <Digest of={o.digest} /> },
          ]}
        />
      )}
    </div>
  );
}

function Digest({ of }: { of: string }) {
  return <code title={of}>{of.slice(0, 12)}</code>;
}

function Settings({ run, detail }: Omit<DetailProps, "project">) {
  const params = Object.entries(detail.params);
  return (
    <div>
      <h3 className={css.sub}>Command and params</h3>
      <Command>{detail.command}</Command>
      <div className={css.facts}>
        <Facts
          items={[
            ...params.map(([name, v]): [string, React.ReactNode] => [
              name,
              <code key={name}>{JSON.stringify(v)}</code>,
            ]),
            ...Object.entries(detail.env ?? {}).map(([name, v]): [string, React.ReactNode] => [
              name,
              <code key={name}>{v}</code>,
            ]),
            [
              "Logged to",
              <RunLink key="l" experiment={run.experiment_id ?? ""} run={detail.run_id} />,
            ],
            ["Began", <Time key="t" at={detail.started_at} />],
            ["Attempts", detail.attempts === 0 ? "none, it was cached" : count(detail.attempts)],
            ["Ended", ending(detail)],
            ["Code", <Digest key="c" of={detail.code} />],
            ...(detail.lock
              ? [["Environment", <Digest key="e" of={detail.lock} />] as [string, React.ReactNode]]
              : []),
            ["Cache key", <Digest key="k" of={detail.key} />],
            ["Platform", detail.platform],
          ]}
        />
      </div>
    </div>
  );
}

function ending(d: PipelineDetail): string {
  if (!d.exit) return d.state === "running" ? "it goes on" : d.state;
  if (d.exit.signal) return `by the signal ${d.exit.signal}`;
  if (d.exit.state === "exited") return `with exit status ${d.exit.code}`;
  return d.exit.state.replace(/_/g, " ");
}

interface Printed {
  name: string;
  last: number;
  min: number;
  max: number;
  n: number;
}

/** What became of each metric that a step printed, in the order of their first points. */
export function summarize(points: NonNullable<PipelineDetail["metrics"]>): Printed[] {
  const found = new Map<string, Printed & { step: number }>();
  for (const p of points) {
    const v = Number(p.value); // a text stands for what JSON has no number for
    const step = p.step ?? 0;
    const was = found.get(p.name);
    if (!was) {
      found.set(p.name, { name: p.name, last: v, min: v, max: v, n: 1, step });
      continue;
    }
    was.n++;
    was.min = Math.min(was.min, v);
    was.max = Math.max(was.max, v);
    if (step >= was.step) [was.last, was.step] = [v, step];
  }
  return [...found.values()];
}

function Printed({ detail }: { detail: PipelineDetail }) {
  const metrics = summarize(detail.metrics ?? []);
  return (
    <div>
      <h3 className={css.sub}>Metrics it printed</h3>
      {metrics.length === 0 ? (
        <Empty title="None" command={'echo "::metric auc=0.91 step=3"'}>
          A line like this one, printed by a step, is a metric of its run.
        </Empty>
      ) : (
        <DataTable
          label="Metrics that the step printed"
          rows={metrics}
          rowKey={(m) => m.name}
          columns={[
            { id: "name", head: "Metric", cell: (m) => <code>{m.name}</code>, sort: (m) => m.name },
            {
              id: "last",
              head: "Last",
              cell: (m) => value(m.last),
              sort: (m) => m.last,
              numeric: true,
            },
            { id: "min", head: "Least", cell: (m) => value(m.min), numeric: true, minor: true },
            { id: "max", head: "Most", cell: (m) => value(m.max), numeric: true, minor: true },
            { id: "n", head: "Points", cell: (m) => count(m.n), numeric: true },
          ]}
        />
      )}
      {(detail.metrics_dropped ?? 0) > 0 && (
        <p className={css.dim}>
          {plural(detail.metrics_dropped ?? 0, "point")} more were printed than are kept.
        </p>
      )}
    </div>
  );
}
