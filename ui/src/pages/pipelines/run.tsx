import { Alert, Button, Skeleton, Tabs } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useQuery, type UseQueryResult } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { Ban } from "lucide-react";
import { useRef } from "react";
import { StatusBadge } from "../../components/Badge";
import { Command } from "../../components/Command";
import { CopyButton } from "../../components/CopyButton";
import { Dialog, DialogButtons } from "../../components/Dialog";
import { GuardedButton } from "../../components/GuardedButton";
import { Lines, Loaded } from "../../components/Loaded";
import { Page, Section } from "../../components/Page";
import { Stat, Stats } from "../../components/Stat";
import { Empty, Failed, Failure } from "../../components/State";
import { Time } from "../../components/Time";
import { VersionLink } from "../../components/links";
import { useMay } from "../../data/may";
import { versionQuery } from "../../data/models";
import {
  isFinal,
  pipelineGraph,
  pipelineRun,
  pipelineStep,
  pipelineSteps,
  useCancelRun,
  type PipelineGraph,
  type PipelineRun,
  type PipelineStep,
  stepName,
} from "../../data/pipelines";
import { count, duration, percent, plural, value, UNKNOWN } from "../../format/number";
import { CandidateButton } from "../models/Changes";
import { Cause } from "./Cause";
import css from "./pipelines.module.css";
import { RerunButton } from "./Rerun";
import { runViews, type RunSearch, type RunView } from "./routes";
import { begun, cachedShare, Share } from "./Share";
import { StepGraph } from "./StepGraph";
import { StepPanel } from "./StepPanel";
import { sentence } from "./steps";
import { Timeline } from "./Timeline";
import { Tries } from "./Tries";

const from = "/p/$project/pipelines/$run" as const;

/** One pipeline run. */
export function PipelineRunPage() {
  const { project, run: id } = useParams({ from });
  const run = useQuery(pipelineRun(project, id));
  const live = run.data !== undefined && !isFinal(run.data.state);
  const graph = useQuery(pipelineGraph(project, id));
  const steps = useQuery(pipelineSteps(project, id, live));
  const first = steps.data?.items.find((s) => s.state === "failed") ?? steps.data?.items[0];
  return (
    <Page
      title={id}
      badge={
        <>
          <CopyButton text={id} what="Copy the run's id" />
          {run.data && <StatusBadge state={run.data.state} />}
        </>
      }
      crumbs={[
        <Link key="all" to="/p/$project/pipelines" params={{ project }}>
          Pipelines
        </Link>,
      ]}
      about={
        run.data ? (
          <>
            Commit <code>{run.data.commit.slice(0, 12)}</code>, for <Cause run={run.data} />, began{" "}
            <Time at={run.data.created_at} />
          </>
        ) : (
          "One pipeline run"
        )
      }
      actions={
        run.data &&
        (live ? (
          <Cancel project={project} run={id} />
        ) : (
          <RerunButton
            project={project}
            run={run.data}
            from={first ? stepName(first) : (graph.data?.nodes[0]?.id ?? "")}
            label="Run again from a step"
          />
        ))
      }
    >
      <Loaded query={run} skeleton={<Lines n={3} height={56} />}>
        {(r) => <Summary project={project} run={r} steps={steps} />}
      </Loaded>
      {run.data && graph.data && (
        <Views project={project} run={run.data} graph={graph.data} steps={steps} />
      )}
      {run.data && <Failed query={graph} />}
    </Page>
  );
}

type StepsQuery = UseQueryResult<{ items: PipelineStep[]; next?: string }>;

interface SummaryProps {
  project: string;
  run: PipelineRun;
  steps: StepsQuery;
}

/** What came of the run in a few numbers, and why it ended so. */
function Summary({ project, run, steps }: SummaryProps) {
  const t = run.steps;
  const ended = run.finished_at ? Date.parse(run.finished_at) : steps.dataUpdatedAt;
  return (
    <Section title="Summary">
      <div className={css.dialog}>
        <Stats>
          <Stat
            label={isFinal(run.state) ? "Took" : "Has taken"}
            value={
              run.started_at ? duration(Math.max(0, ended - Date.parse(run.started_at))) : UNKNOWN
            }
            note="wall time"
          />
          <Stat
            label="Steps"
            value={t ? count(begun(t)) : UNKNOWN}
            note={<Share run={run} whole />}
          />
          <Stat
            label="From the cache"
            value={t ? percent(cachedShare(t), 2) : UNKNOWN}
            note={t && `${plural(t.cached, "step")} of ${count(t.cached + t.succeeded)}`}
          />
          <Stat
            label={run.goal ? `Best ${run.goal.metric}` : "Best"}
            value={value(run.value)}
            note={run.winner ? `try ${run.winner}` : "no winner yet"}
          />
          <Stat
            label="Version"
            value={run.version ? <VersionLink model={run.model} version={run.version} /> : UNKNOWN}
            note={run.model}
          />
        </Stats>
        {!isFinal(run.state) && run.steps && (
          <div className={css.progress} role="status">
            <span>Now: {run.progress ?? "it waits for its turn"}</span>
          </div>
        )}
        {run.reason && <Reason run={run} />}
        {run.rerun_of && run.version && (
          <Offer project={project} model={run.model} version={run.version} />
        )}
      </div>
    </Section>
  );
}

/** What a re-run made belongs to no case: says how it is released, unless it has been asked for. */
function Offer(props: { project: string; model: string; version: number }) {
  const { project, model, version } = props;
  const made = useQuery(versionQuery(project, model, version, "")).data;
  if (!made || made.aliases.some((a) => a === "candidate" || a === "live")) return null;
  return (
    <Alert variant="light" title={`Nobody was asked to release version ${version}`}>
      <div className={css.dialog}>
        <p>A re-run belongs to no case. Made the candidate, it is packaged, judged and released.</p>
        <div className={css.progress}>
          <CandidateButton project={project} version={made} locked="" />
          <Command>{`fairlead release ${model} ${version}`}</Command>
        </div>
      </div>
    </Alert>
  );
}

function Reason({ run }: { run: PipelineRun }) {
  const [first = "", ...rest] = (run.reason ?? "").split("\n");
  if (run.state !== "failed") return <p className={css.dim}>{sentence(first)}</p>;
  return (
    <div className={css.error}>
      <strong>{first}</strong>
      {rest.length > 0 && <pre className={css.tail}>{rest.join("\n")}</pre>}
    </div>
  );
}

interface ViewsProps {
  project: string;
  run: PipelineRun;
  graph: PipelineGraph;
  steps: StepsQuery;
}

const names: Record<RunView, string> = { graph: "Graph", timeline: "Timeline", tries: "Tries" };

function Views({ project, run, graph, steps }: ViewsProps) {
  const search = useSearch({ from });
  const navigate = useNavigate({ from });
  const go = (change: RunSearch) =>
    void navigate({ search: (was) => ({ ...was, ...change }), replace: true, resetScroll: false });
  const several = graph.tries > 1;
  const views = runViews.filter((v) => v !== "tries" || several);
  const view = views.find((v) => v === search.view) ?? "graph";
  const all = steps.data?.items ?? [];
  const listed = all.find((s) => stepName(s) === search.step);
  // The list has the first thousand steps; another one is asked for by its name.
  const other = useQuery({
    ...pipelineStep(project, run.id, search.step ?? ""),
    enabled: search.step !== undefined && steps.data !== undefined && !listed,
  });
  const picked = search.step === undefined ? usual(all) : (listed ?? other.data);
  const now = steps.dataUpdatedAt;
  const panel = useRef<HTMLDivElement>(null);
  const onPick = (step: string) => {
    go({ step });
    panel.current?.scrollIntoView({ block: "nearest" });
  };
  return (
    <>
      <Section
        title="Steps"
        flush
        about={
          several
            ? `${graph.concurrency} at once, ${plural(graph.tries, "try", "tries")} to make`
            : `${graph.concurrency} at once`
        }
      >
        <Tabs
          value={view}
          keepMounted={false}
          onChange={(v) => {
            const next = views.find((known) => known === v);
            if (next) go({ view: next });
          }}
        >
          <Tabs.List className={css.tabs ?? ""}>
            {views.map((v) => (
              <Tabs.Tab key={v} value={v}>
                {v === "tries" ? `${names[v]} (${count(graph.tries)})` : names[v]}
              </Tabs.Tab>
            ))}
          </Tabs.List>
          <Tabs.Panel value="graph">
            <Loaded query={steps} skeleton={<GraphSkeleton />}>
              {(page) => (
                <div className={css.pad}>
                  <StepGraph
                    run={run}
                    graph={graph}
                    steps={page.items}
                    now={now}
                    current={picked && stepName(picked)}
                    onPick={onPick}
                  />
                </div>
              )}
            </Loaded>
          </Tabs.Panel>
          <Tabs.Panel value="timeline">
            <Loaded
              query={steps}
              skeleton={
                <div className={css.pad}>
                  <Lines n={6} height={24} />
                </div>
              }
              isEmpty={(page) => page.items.length === 0}
              empty={
                <Empty title={isFinal(run.state) ? "No step has begun" : "No step has begun yet"}>
                  {run.progress}
                </Empty>
              }
            >
              {(page) => (
                <>
                  <Timeline
                    project={project}
                    run={run}
                    steps={page.items}
                    tries={graph.tries}
                    now={now}
                    current={picked && stepName(picked)}
                    onPick={onPick}
                  />
                  {page.next && (
                    <p className={css.stop}>
                      These are the first {count(page.items.length)} steps.
                    </p>
                  )}
                </>
              )}
            </Loaded>
          </Tabs.Panel>
          <Tabs.Panel value="tries">
            <Tries project={project} run={run} graph={graph} onPick={onPick} />
          </Tabs.Panel>
        </Tabs>
      </Section>
      {picked && (
        <div ref={panel}>
          <StepPanel
            project={project}
            run={run}
            step={picked}
            tries={graph.tries}
            now={now}
            view={search.part ?? "log"}
            onView={(part) => go({ part })}
          />
        </div>
      )}
      {!picked && other.isError && <Failure error={other.error} />}
    </>
  );
}

function GraphSkeleton() {
  return (
    <div className={css.pad}>
      <Skeleton height={280} />
    </div>
  );
}

/** The step that is looked at while the address names none: what failed, runs, or was last. */
function usual(steps: readonly PipelineStep[]) {
  return (
    steps.find((s) => s.state === "failed") ??
    steps.find((s) => s.state === "running") ??
    steps.at(-1)
  );
}

function Cancel({ project, run }: { project: string; run: string }) {
  const [opened, { open, close }] = useDisclosure();
  const { why } = useMay("run");
  const cancel = useCancelRun(project, run);
  return (
    <>
      <GuardedButton
        why={why}
        variant="default"
        onClick={open}
        leftSection={<Ban size={14} aria-hidden />}
      >
        Cancel the run
      </GuardedButton>
      <Dialog opened={opened} onClose={close} title="Cancel this run?">
        <p>
          Its steps are ended where they are, and no version is made. What has ended well stays in
          the cache. A case that waits for it fails.
        </p>
        {cancel.isError && <Failure error={cancel.error} />}
        <DialogButtons>
          <Button variant="default" onClick={close}>
            Let it go on
          </Button>
          <Button
            color="red"
            loading={cancel.isPending}
            onClick={() => cancel.mutate(undefined, { onSuccess: close })}
          >
            Cancel the run
          </Button>
        </DialogButtons>
      </Dialog>
    </>
  );
}
