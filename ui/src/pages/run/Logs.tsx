import { Skeleton } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense } from "react";
import { Choice } from "../../components/Choice";
import { Section } from "../../components/Page";
import { Empty, Failed, failureOf } from "../../components/State";
import { artifactsQuery, type Artifact } from "../../data/artifacts";
import { pipelineSteps, stepName } from "../../data/pipelines";
import { isLive, type TrackedRun } from "../../data/run";
import { Preview } from "./Artifacts";

// The code of pipelines is loaded with the first log of a step.
const LogView = lazy(() =>
  import("../pipelines/LogView").then(({ LogView: view }) => ({ default: view })),
);

interface LogsProps {
  project: string;
  run: TrackedRun;
  /** What is read: a step, or a file; empty for the first. */
  log: string;
  onLog: (log: string) => void;
}

/** Where runs keep files that are logs, besides their root. */
const FOLDER = "logs";

/** What was printed in a run: by the steps of its pipeline, and into files that are logs. */
export function Logs({ project, run, log, onLog }: LogsProps) {
  const owner = { run: run.id };
  const pipeline = run.tags["fairlead.pipeline_run"];
  const part = Number(run.tags["fairlead.try"] ?? 0);
  const root = useQuery(artifactsQuery(project, owner, "", isLive(run)));
  const below = useQuery(artifactsQuery(project, owner, FOLDER, isLive(run)));
  const steps = useQuery({
    ...pipelineSteps(project, pipeline ?? "", isLive(run)),
    enabled: pipeline !== undefined,
  });
  const failed = [root, below, steps].find((q) => failureOf(q) != null);
  if (failed) return <Failed query={failed} />;
  if (!root.data || !below.data || steps.isLoading) return <Skeleton height={300} />;
  const isLog = (f: Artifact) =>
    f.kind === "log" || (f.kind === "text" && f.path.startsWith(`${FOLDER}/`));
  const files = [...root.data.items, ...below.data.items].filter(isLog);
  const printed = (steps.data?.items ?? []).filter((s) => s.try === part).map(stepName);
  const all = [
    { group: "Steps", items: printed },
    { group: "Files", items: files.map((f) => f.path) },
  ].filter((g) => g.items.length > 0);
  const names = all.flatMap((g) => g.items);
  const chosen = names.includes(log) ? log : (names[0] ?? "");
  const file = printed.includes(chosen) ? undefined : files.find((f) => f.path === chosen);
  return (
    <Section
      title="Logs"
      actions={
        names.length > 1 && (
          <Choice
            aria-label="Log"
            data={all}
            value={chosen}
            onChange={(name) => name !== null && onLog(name)}
          />
        )
      }
    >
      {file ? (
        <Preview key={file.path} project={project} owner={owner} file={file} />
      ) : chosen !== "" && pipeline !== undefined ? (
        <Suspense fallback={<Skeleton height={300} />}>
          <LogView
            key={chosen}
            project={project}
            run={pipeline}
            step={chosen}
            file={`${pipeline}-${chosen}.log`}
          />
        </Suspense>
      ) : (
        <Empty title="No logs" command={'mlflow.log_artifact("train.log", "logs")'}>
          What the steps of a pipeline print shows here, files that end in .log, and all texts below
          logs/.
        </Empty>
      )}
    </Section>
  );
}
