import { CaseLink, PipelineLink } from "../../components/links";
import type { PipelineRun } from "../../data/pipelines";

const causes: Record<string, string> = {
  user: "a person",
  incident: "an incident",
  candidate: "a candidate",
  schedule: "the schedule",
};

/** Who or what a run was begun for, with a link to it. */
export function Cause({ run }: { run: PipelineRun }) {
  if (run.rerun_of) {
    return (
      <>
        <PipelineLink id={run.rerun_of}>another run</PipelineLink> again from {run.rerun_from}
      </>
    );
  }
  const cause = causes[run.cause] ?? run.cause;
  return run.case ? <CaseLink id={run.case}>{cause}</CaseLink> : cause;
}
