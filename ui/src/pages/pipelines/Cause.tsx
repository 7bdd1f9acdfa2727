import { Link, useParams } from "@tanstack/react-router";
import type { PipelineRun } from "../../data/pipelines";

const causes: Record<string, string> = {
  user: "a person",
  incident: "an incident",
  candidate: "a candidate",
  schedule: "the schedule",
};

/** Who or what a run was begun for, with a link to it. */
export function Cause({ run }: { run: PipelineRun }) {
  const { project } = useParams({ from: "/p/$project" });
  if (run.rerun_of) {
    return (
      <>
        <Link to="/p/$project/pipelines/$run" params={{ project, run: run.rerun_of }}>
          another run
        </Link>{" "}
        again from {run.rerun_from}
      </>
    );
  }
  const cause = causes[run.cause] ?? run.cause;
  const to: string = `/p/${project}/cases/${run.case ?? ""}`;
  return run.case ? <Link to={to}>{cause}</Link> : <>{cause}</>;
}
