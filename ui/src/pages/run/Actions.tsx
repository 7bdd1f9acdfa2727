import { Button } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { GitCompare, Trash2, Undo2 } from "lucide-react";
import { GuardedButton } from "../../components/GuardedButton";
import { toast } from "../../components/toast";
import { useMay } from "../../data/may";
import type { TrackedRun } from "../../data/run";
import { changeRuns, type Change } from "../../data/runtable";

/** Changes one run; what was refused is an error in the server's words. */
export function useChange(project: string, run: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async (change: Change) => {
      const { failed } = await changeRuns(project, [run], change, () => undefined);
      if (failed[0]) throw new Error(failed[0].reason);
    },
    onError: (err) => toast({ title: "Nothing was changed", message: err.message, tone: "bad" }),
    onSettled: () => queries.invalidateQueries({ queryKey: ["p", project, "runs"] }),
  });
}

/** What can be done with a run as a whole. */
export function Actions({ project, run }: { project: string; run: TrackedRun }) {
  const track = useMay("track");
  const change = useChange(project, run.id);
  const restore = () =>
    change.mutate({ kind: "restore" }, { onSuccess: () => toast({ title: "The run is back" }) });
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
  const deleted = run.state === "deleted";
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
      <GuardedButton
        variant="default"
        why={track.why}
        loading={change.isPending}
        leftSection={deleted ? <Undo2 size={14} aria-hidden /> : <Trash2 size={14} aria-hidden />}
        onClick={deleted ? restore : remove}
      >
        {deleted ? "Restore" : "Delete"}
      </GuardedButton>
    </>
  );
}
