import { Button } from "@mantine/core";
import { Empty } from "../../components/State";

interface NoRunsProps {
  project: string;
  experiment: string | undefined;
  deleted: boolean;
  filtered: boolean;
  onClear: () => void;
}

/** What stands where runs would be. */
export function NoRuns({ project, experiment, deleted, filtered, onClear }: NoRunsProps) {
  if (filtered)
    return (
      <Empty title="No run is found by this filter">
        <Button variant="default" size="xs" onClick={onClear}>
          Clear the filter
        </Button>
      </Empty>
    );
  if (deleted) return <Empty title="No run went to the trash with it" />;
  const uri = `${globalThis.location.origin}/p/${project}`;
  const into = experiment === undefined ? "" : `experiment_id="${experiment}"`;
  return (
    <Empty
      title="No runs yet"
      command={`export MLFLOW_TRACKING_URI=${uri}\npython -c 'import mlflow
with mlflow.start_run(${into}):
    mlflow.log_param("depth", 6)
    mlflow.log_metric("auc", 0.9)'`}
    >
      Whatever logs with MLflow’s client shows up here within a second.
    </Empty>
  );
}
