import { Button, CloseButton, Progress, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { Dialog, DialogButtons } from "../../components/Dialog";
import { GuardedButton } from "../../components/GuardedButton";
import { Failure } from "../../components/State";
import { toast } from "../../components/toast";
import { useMay } from "../../data/may";
import { changeRuns, runIds, type Bulk, type Change, type Rows } from "../../data/runtable";
import { count, plural } from "../../format/number";
import css from "./BulkBar.module.css";
import { useRenew } from "./useTrash";

/** The runs that are selected: these, or all that the table has but these. */
export interface Selection {
  all: boolean;
  runs: ReadonlySet<string>;
}

export const nothing: Selection = { all: false, runs: new Set() };
export const everything: Selection = { all: true, runs: new Set() };
export const has = (s: Selection, run: string) => s.runs.has(run) !== s.all;
/** The selection with these runs selected, or no longer. */
export function put(s: Selection, ids: string[], selected: boolean): Selection {
  const runs = new Set(s.runs);
  for (const id of ids) {
    if (selected === s.all) runs.delete(id);
    else runs.add(id);
  }
  return { all: s.all, runs };
}

/** Says what became of a change, with a way back where there is one. */
function tell(done: string, bulk: Bulk, undo?: () => void) {
  const failed = bulk.failed.length;
  toast({
    title: `${plural(bulk.changed.length, "run")} ${done}`,
    tone: failed > 0 ? "bad" : "good",
    ...(failed > 0 && {
      message: `${plural(failed, "run")} left as before: ${bulk.failed[0]?.reason ?? ""}`,
    }),
    ...(undo && { action: { label: "Undo", run: undo } }),
  });
}

/** Changes runs with progress, tells of it, and takes it back. */
function useBulk(rows: Rows, after: () => void) {
  const renew = useRenew(rows.project);
  const [progress, setProgress] = useState(0);
  const mutation = useMutation({
    mutationFn: async ({ runs, change }: { runs: Selection; change: Change }) => {
      setProgress(0);
      const ids = runs.all
        ? (await runIds(rows)).filter((id) => !runs.runs.has(id))
        : [...runs.runs];
      return changeRuns(rows.project, ids, change, (n) => setProgress(n / ids.length));
    },
    onSuccess: (bulk, { change }) => {
      const runs = { all: false, runs: new Set(bulk.changed) };
      const undo = () => mutation.mutate({ runs, change: { kind: "restore" } });
      if (change.kind === "delete")
        tell("moved to the trash", bulk, bulk.changed.length > 0 ? undo : undefined);
      else tell(change.kind === "restore" ? "restored" : "tagged", bulk);
      if (change.kind !== "restore") after();
    },
    onError: (err, { change }) => {
      if (change.kind === "restore")
        toast({ title: "Not restored", message: err.message, tone: "bad" });
    },
    onSettled: renew,
  });
  return { ...mutation, progress };
}

interface BulkBarProps {
  rows: Rows;
  selection: Selection;
  /** How many runs the table has, on all levels. */
  total: number;
  onSelect: (selection: Selection) => void;
  onCompare: (runs: string[]) => void;
}

/** The most runs that a comparison takes. */
const COMPARE = 32;

/** What can be done to the runs that are selected. */
export function BulkBar({ rows, selection, total, onSelect, onCompare }: BulkBarProps) {
  const { why } = useMay("track");
  const [dialog, setDialog] = useState<"tag" | "delete">();
  const bulk = useBulk(rows, () => {
    setDialog(undefined);
    onSelect(nothing);
  });
  const n = selection.all ? total - selection.runs.size : selection.runs.size;
  const run = (change: Change) => bulk.mutate({ runs: selection, change });
  const ask = (what: "tag" | "delete") => {
    bulk.reset();
    setDialog(what);
  };
  if (n <= 0) return null;
  return (
    <div className={css.bar} role="region" aria-label="Selected runs" data-keys-to="[role=grid]">
      <strong role="status">{plural(n, "run")} selected</strong>
      {total > n && (
        <Button size="compact-sm" variant="subtle" onClick={() => onSelect(everything)}>
          Select all {count(total)}
        </Button>
      )}
      <span className={css.space} />
      <Button
        size="compact-sm"
        variant="default"
        disabled={selection.all || n < 2 || n > COMPARE}
        title={`2 to ${COMPARE} runs can be compared`}
        onClick={() => onCompare([...selection.runs])}
      >
        Compare
      </Button>
      <GuardedButton
        size="compact-sm"
        variant="default"
        why={why}
        disabled={bulk.isPending}
        onClick={() => ask("tag")}
      >
        Tag…
      </GuardedButton>
      <GuardedButton
        size="compact-sm"
        variant="default"
        why={why}
        disabled={bulk.isPending}
        onClick={() => (n > 1 ? ask("delete") : run({ kind: "delete" }))}
      >
        {n > 1 ? "Delete…" : "Delete"}
      </GuardedButton>
      <CloseButton aria-label="Select nothing" onClick={() => onSelect(nothing)} />
      {bulk.isPending && (
        <Progress
          className={css.progress ?? ""}
          value={bulk.progress * 100}
          aria-label={`${Math.round(bulk.progress * 100)} % done`}
        />
      )}
      {bulk.isError && dialog === undefined && <Failure error={bulk.error} />}
      <Dialog
        opened={dialog === "delete"}
        onClose={() => setDialog(undefined)}
        title={`Move ${plural(n, "run")} to the trash?`}
      >
        <p>
          They leave all tables and searches. They can be restored from the trash until it is
          emptied; their metrics and artifacts stay until then.
        </p>
        {bulk.isError && <Failure error={bulk.error} />}
        <DialogButtons>
          <Button variant="default" onClick={() => setDialog(undefined)}>
            Keep them
          </Button>
          <Button color="red" loading={bulk.isPending} onClick={() => run({ kind: "delete" })}>
            Move {plural(n, "run")} to the trash
          </Button>
        </DialogButtons>
      </Dialog>
      <TagDialog
        opened={dialog === "tag"}
        n={n}
        pending={bulk.isPending}
        error={bulk.error}
        onClose={() => setDialog(undefined)}
        onTag={run}
      />
    </div>
  );
}

interface TagDialogProps {
  opened: boolean;
  n: number;
  pending: boolean;
  error: unknown;
  onClose: () => void;
  onTag: (change: Change) => void;
}

function TagDialog({ opened, n, pending, error, onClose, onTag }: TagDialogProps) {
  const [key, setKey] = useState("");
  const [value, setValue] = useState("");
  const [remove, setRemove] = useState("");
  const changes = key.trim() !== "" || remove.trim() !== "";
  return (
    <Dialog opened={opened} onClose={onClose} title={`Tag ${plural(n, "run")}`}>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          onTag({
            kind: "tag",
            set: key.trim() ? { [key.trim()]: value } : {},
            remove: remove.trim() ? [remove.trim()] : [],
          });
        }}
      >
        <div className={css.pair}>
          <TextInput
            label="Set the tag"
            placeholder="team"
            data-autofocus
            value={key}
            onChange={(e) => setKey(e.currentTarget.value)}
          />
          <TextInput
            label="to"
            placeholder="vision"
            value={value}
            onChange={(e) => setValue(e.currentTarget.value)}
          />
        </div>
        <TextInput
          label="Remove the tag"
          description="Runs that do not have it stay as they are."
          value={remove}
          onChange={(e) => setRemove(e.currentTarget.value)}
        />
        {error != null && <Failure error={error} />}
        <DialogButtons>
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" disabled={!changes} loading={pending}>
            Tag {plural(n, "run")}
          </Button>
        </DialogButtons>
      </form>
    </Dialog>
  );
}
