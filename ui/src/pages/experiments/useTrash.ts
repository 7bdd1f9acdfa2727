import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { toast } from "../../components/toast";
import {
  deleteExperiment,
  restoreExperiment,
  settingsQuery,
  type Experiment,
} from "../../data/experiments";

/** What makes the lists of experiments and runs be read anew. */
export function useRenew(project: string) {
  const client = useQueryClient();
  return () => {
    for (const what of ["experiments", "experiment", "runs", "run-table", "run-columns"])
      void client.invalidateQueries({ queryKey: ["p", project, what] });
  };
}

/** Until when what was deleted is kept, in ms; undefined for ever, or before it is known. */
export function useKept(project: string) {
  const { data } = useQuery(settingsQuery(project));
  return (since: number) => (data?.kept_ms ? since + data.kept_ms : undefined);
}

/** Moves experiments to the trash and takes them out, and offers to take that back. */
export function useTrash(project: string) {
  const renew = useRenew(project);
  const restore = useMutation({
    mutationFn: (e: Pick<Experiment, "id" | "name">) => restoreExperiment(project, e.id),
    onSettled: renew,
    onSuccess: (_, e) =>
      toast({
        title: `${e.name} restored`,
        action: { label: "Undo", run: () => remove.mutate(e) },
      }),
    onError: (err) => toast({ title: "Not restored", message: err.message, tone: "bad" }),
  });
  const remove = useMutation({
    mutationFn: (e: Pick<Experiment, "id" | "name">) => deleteExperiment(project, e.id),
    onSettled: renew,
    onSuccess: (_, e) =>
      toast({
        title: `${e.name} moved to the trash`,
        action: { label: "Undo", run: () => restore.mutate(e) },
      }),
  });
  return { remove, restore };
}
