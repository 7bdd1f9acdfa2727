import { Button } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { GitCompare, Trash2 } from "lucide-react";
import { GuardedButton } from "../../components/GuardedButton";
import { Trashed } from "../../components/Trashed";
import { toast } from "../../components/toast";
import { useMay } from "../../data/may";
import { renewed } from "../../data/query";
import type { TrackedRun } from "../../data/run";
import { changeRuns, type Change } from "../../data/runtable";
import { useKept, useTrash } from "../experiments/useTrash";

/** Changes one run; what was refused is an error in the server's words. */
export function useChange(project: string, run: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async (change: Change) => {
      const { failed } = await changeRuns(project, [run], change, () => undefined);
      if (failed[0]) throw new Error(failed[0].reason);
    },
    onError: (err) => toast({ title: "Nothing was changed", message: err.message, tone: "bad" }),
    onSettled: () => renewed(queries, { queryKey: ["p", project, "runs"] }),
  });
}

/** Moves a run to the trash and takes it out, and offers to take that back. */
function useRunTrash(project: string, run: string) {
  const change = useChange(project, run);
  const restore = () =>
    change.mutate(
      { kind: "restore" },
      {
        onSuccess: () =>
          toast({ title: "The run is back", action: { label: "Undo", run: remove } }),
      },
    );
  const remove = () =>
    change.mutate(
      { kind: "delete" },
      {
        onSuccess: () =>
          toast({
            title: "The run is in the trash",
            message: "It is kept there for a while, and can be restored.",
            action: { label: "Undo", run: restore },
          }),
      },
    );
  return { restore, remove, pending: change.isPending };
}

/** That a run or its experiment is in the trash, and the way out; nothing of others. */
export function InTrash({ project, run }: { project: string; run: TrackedRun }) {
  const { why } = useMay("track");
  const until = useKept(project);
  const { restore, pending } = useRunTrash(project, run.id);
  const experiment = useTrash(project).restore;
  const { deleted_ms: since, experiment_deleted_ms: gone } = run;
  if (gone !== undefined) {
    const { experiment: id, experiment_name: name } = run;
    return (
      <Trashed
        what={`The experiment ${name}`}
        with={since === gone || since === undefined ? "this run" : "the runs that went with it"}
        since={gone}
        until={until(gone)}
        action={`Restore ${name}`}
        why={why}
        pending={experiment.isPending}
        onRestore={() => experiment.mutate({ id, name })}
      />
    );
  }
  if (since === undefined) return null;
  return (
    <Trashed
      what="This run"
      with="its artifacts"
      since={since}
      until={until(since)}
      action="Restore"
      why={why}
      pending={pending}
      onRestore={restore}
    />
  );
}

/** What can be done with a run as a whole. */
export function Actions({ project, run }: { project: string; run: TrackedRun }) {
  const { why } = useMay("track");
  const { remove, pending } = useRunTrash(project, run.id);
  return (
    <>
      <Button
        variant="default"
        leftSection={<GitCompare size={14} aria-hidden />}
        renderRoot={(props) => (
          <Link
            to="/p/$project/compare"
            params={{ project }}
            search={{ runs: run.id }}
            {...props}
          />
        )}
      >
        Compare
      </Button>
      {run.deleted_ms === undefined && run.experiment_deleted_ms === undefined && (
        <GuardedButton
          variant="default"
          why={why}
          loading={pending}
          leftSection={<Trash2 size={14} aria-hidden />}
          onClick={remove}
        >
          Delete
        </GuardedButton>
      )}
    </>
  );
}
