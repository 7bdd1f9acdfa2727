import { Button, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Pencil, Plus, Trash2 } from "lucide-react";
import { useState } from "react";
import { Dialog, DialogButtons } from "../../components/Dialog";
import { GuardedButton } from "../../components/GuardedButton";
import { Failure } from "../../components/State";
import { createExperiment, renameExperiment, type Experiment } from "../../data/experiments";
import { useMay } from "../../data/may";
import { plural } from "../../format/number";
import { useRenew, useTrash } from "./useTrash";

interface NameDialogProps {
  opened: boolean;
  title: string;
  action: string;
  initial: string;
  pending: boolean;
  error: unknown;
  onClose: () => void;
  onName: (name: string) => void;
}

function NameDialog(props: NameDialogProps) {
  const [name, setName] = useState(props.initial);
  return (
    <Dialog opened={props.opened} onClose={props.onClose} title={props.title}>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          props.onName(name.trim());
        }}
      >
        <TextInput
          label="Name"
          data-autofocus
          maxLength={500}
          value={name}
          onChange={(e) => setName(e.currentTarget.value)}
        />
        {props.error != null && <Failure error={props.error} />}
        <DialogButtons>
          <Button variant="default" onClick={props.onClose}>
            Cancel
          </Button>
          <Button
            type="submit"
            loading={props.pending}
            disabled={name.trim() === "" || name.trim() === props.initial}
          >
            {props.action}
          </Button>
        </DialogButtons>
      </form>
    </Dialog>
  );
}

/** Makes an experiment and leads to it. */
export function NewExperiment({ project }: { project: string }) {
  const { why } = useMay("track");
  const [opened, setOpened] = useState(false);
  const renew = useRenew(project);
  const navigate = useNavigate();
  const create = useMutation({
    mutationFn: (name: string) => createExperiment(project, name),
    onSuccess: (e) => {
      renew();
      void navigate({
        to: "/p/$project/experiments/$experiment",
        params: { project, experiment: e.id },
      });
    },
  });
  return (
    <>
      <GuardedButton
        size="xs"
        why={why}
        leftSection={<Plus size={14} aria-hidden />}
        onClick={() => setOpened(true)}
      >
        New experiment
      </GuardedButton>
      <NameDialog
        key={String(opened)}
        opened={opened}
        title="New experiment"
        action="Make it"
        initial=""
        pending={create.isPending}
        error={create.error}
        onClose={() => setOpened(false)}
        onName={(name) => create.mutate(name)}
      />
    </>
  );
}

/** Renames an experiment, and deletes it. */
export function ExperimentActions(props: { project: string; experiment: Experiment }) {
  const { project, experiment } = props;
  const { why } = useMay("track");
  const [dialog, setDialog] = useState<"rename" | "delete">();
  const close = () => setDialog(undefined);
  const renew = useRenew(project);
  const navigate = useNavigate();
  const rename = useMutation({
    mutationFn: (name: string) => renameExperiment(project, experiment.id, name),
    onSuccess: () => {
      renew();
      close();
    },
  });
  const { remove } = useTrash(project);
  const isDefault = experiment.id === "0";
  if (experiment.state === "deleted") return null;
  return (
    <>
      <GuardedButton
        size="xs"
        variant="default"
        why={why}
        leftSection={<Pencil size={14} aria-hidden />}
        onClick={() => setDialog("rename")}
      >
        Rename
      </GuardedButton>
      <GuardedButton
        size="xs"
        variant="default"
        why={isDefault ? "Every project keeps its experiment 0" : why}
        leftSection={<Trash2 size={14} aria-hidden />}
        onClick={() => setDialog("delete")}
      >
        Delete…
      </GuardedButton>
      <NameDialog
        key={`${dialog} ${experiment.name}`}
        opened={dialog === "rename"}
        title={`Rename ${experiment.name}`}
        action="Rename"
        initial={experiment.name}
        pending={rename.isPending}
        error={rename.error}
        onClose={close}
        onName={(name) => rename.mutate(name)}
      />
      <Dialog
        opened={dialog === "delete"}
        onClose={close}
        title={`Move ${experiment.name} to the trash?`}
      >
        <p>
          It goes there with {plural(experiment.activity.runs, "run")}, and can be restored with
          them. Its name is free at once.
        </p>
        {remove.isError && <Failure error={remove.error} />}
        <DialogButtons>
          <Button variant="default" onClick={close}>
            Keep it
          </Button>
          <Button
            color="red"
            loading={remove.isPending}
            onClick={() =>
              remove.mutate(experiment, {
                onSuccess: () =>
                  void navigate({ to: "/p/$project/experiments", params: { project } }),
              })
            }
          >
            Move it to the trash
          </Button>
        </DialogButtons>
      </Dialog>
    </>
  );
}
