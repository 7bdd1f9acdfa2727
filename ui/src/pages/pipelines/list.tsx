import { SegmentedControl } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { FirstRun } from "../../app/FirstRun";
import { StatusBadge } from "../../components/Badge";
import { DataTable, type Column } from "../../components/DataTable";
import { Lines, Loaded } from "../../components/Loaded";
import { More } from "../../components/More";
import { Page, Section } from "../../components/Page";
import { Empty } from "../../components/State";
import { Time } from "../../components/Time";
import { VersionLink } from "../../components/links";
import { isFinal, pipelineRuns, runStates, type PipelineRun } from "../../data/pipelines";
import { duration, value, UNKNOWN } from "../../format/number";
import { Cause } from "./Cause";
import css from "./pipelines.module.css";
import { Share } from "./Share";
import { StartRun } from "./StartRun";
import { sentence } from "./steps";

/** All pipeline runs of a project. */
export function Pipelines() {
  const { project } = useParams({ from: "/p/$project/pipelines" });
  const { state } = useSearch({ from: "/p/$project/pipelines" });
  const navigate = useNavigate({ from: "/p/$project/pipelines" });
  const runs = useInfiniteQuery(pipelineRuns(project, state));
  return (
    <Page
      title="Pipelines"
      about="Each run makes a candidate from one commit and the data of one moment."
      actions={<StartRun project={project} />}
    >
      <Section
        title="Runs"
        about="The newest first"
        flush
        actions={
          <div className={css.states}>
            <SegmentedControl
              aria-label="State of the runs"
              value={state ?? "all"}
              data={["all", ...runStates].map((s) => ({ value: s, label: sentence(s) }))}
              onChange={(next) =>
                void navigate({
                  search: () => {
                    const found = runStates.find((s) => s === next);
                    return found ? { state: found } : {};
                  },
                  replace: true,
                })
              }
            />
          </div>
        }
      >
        <Loaded
          query={runs}
          skeleton={
            <div className={css.pad}>
              <Lines n={8} height={24} />
            </div>
          }
          isEmpty={(data) => data.pages.every((p) => p.items.length === 0)}
          empty={
            state ? (
              <Empty title={`No run is ${state}`}>
                <Link to="/p/$project/pipelines" params={{ project }}>
                  Show all runs
                </Link>
              </Empty>
            ) : (
              <FirstRun title="No pipeline has run yet">
                A run takes the model the whole way: data, pipeline, package, gate, release.
              </FirstRun>
            )
          }
        >
          {(data) => (
            <>
              <DataTable
                label="Pipeline runs"
                columns={columns(project)}
                rows={data.pages.flatMap((p) => p.items)}
                rowKey={(r) => r.id}
              />
              <More query={runs}>Show older runs</More>
            </>
          )}
        </Loaded>
      </Section>
    </Page>
  );
}

function columns(project: string): Column<PipelineRun>[] {
  return [
    {
      id: "id",
      head: "Run",
      cell: (r) => (
        <Link className={css.id} to="/p/$project/pipelines/$run" params={{ project, run: r.id }}>
          {r.id}
        </Link>
      ),
    },
    {
      id: "state",
      head: "State",
      cell: (r) => (
        <span className={css.state}>
          <StatusBadge state={r.state} />
          {r.progress && <span className={css.dim}>{r.progress.split("\n")[0]}</span>}
        </span>
      ),
    },
    { id: "cause", head: "For", cell: (r) => <Cause run={r} />, minor: true },
    { id: "commit", head: "Commit", cell: (r) => <code>{r.commit.slice(0, 8)}</code>, minor: true },
    { id: "steps", head: "Steps", cell: (r) => <Share run={r} /> },
    {
      id: "best",
      head: "Best",
      cell: (r) =>
        r.value == null || !r.goal ? (
          UNKNOWN
        ) : (
          <span className={css.best}>
            <span>{value(r.value)}</span> <span className={css.dim}>{r.goal.metric}</span>
          </span>
        ),
    },
    {
      id: "version",
      head: "Version",
      cell: (r) => (r.version ? <VersionLink model={r.model} version={r.version} /> : UNKNOWN),
      minor: true,
    },
    {
      id: "began",
      head: "Began",
      cell: (r) => (
        <span className={css.best}>
          <Time at={r.created_at} />
        </span>
      ),
      minor: true,
    },
    { id: "took", head: "Took", cell: (r) => <Took run={r} />, numeric: true },
  ];
}

/** How long a run took, of one that goes on, since when. */
function Took({ run }: { run: PipelineRun }) {
  if (!run.started_at) return <>{UNKNOWN}</>;
  if (!isFinal(run.state)) return <span className={css.dim}>goes on</span>;
  if (!run.finished_at) return <>{UNKNOWN}</>;
  return <>{duration(Date.parse(run.finished_at) - Date.parse(run.started_at))}</>;
}
