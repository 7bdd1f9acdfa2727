import { Button } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { Choice } from "../../components/Choice";
import { toast } from "../../components/toast";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { RotateCcw } from "lucide-react";
import { useState } from "react";
import { Command } from "../../components/Command";
import { Dialog, DialogButtons } from "../../components/Dialog";
import { GuardedButton } from "../../components/GuardedButton";
import { Loaded } from "../../components/Loaded";
import { Failure } from "../../components/State";
import { useMay } from "../../data/may";
import {
  isFinal,
  pipelineGraph,
  useRerun,
  type PipelineGraph,
  type PipelineRun,
} from "../../data/pipelines";
import css from "./pipelines.module.css";

interface RerunButtonProps {
  project: string;
  run: PipelineRun;
  /** The step that stands there at first. */
  from: string;
  label: string;
}

/** Does a run again from a step on, after saying what that means. */
export function RerunButton({ project, run, from, label }: RerunButtonProps) {
  const [opened, { open, close }] = useDisclosure();
  const { why } = useMay("run");
  const refused = isFinal(run.state) ? why : "It goes on; cancel it first, or wait for its end";
  return (
    <>
      <GuardedButton
        variant="default"
        why={refused}
        onClick={open}
        leftSection={<RotateCcw size={14} aria-hidden />}
      >
        {label}
      </GuardedButton>
      <Dialog opened={opened} onClose={close} title="Run again from a step">
        <Rerun project={project} run={run} from={from} close={close} />
      </Dialog>
    </>
  );
}

type RerunProps = Omit<RerunButtonProps, "label"> & { close: () => void };

function Rerun({ project, run, from: first, close }: RerunProps) {
  const [from, setFrom] = useState(first);
  const [key, setKey] = useState(() => crypto.randomUUID());
  const graph = useQuery(pipelineGraph(project, run.id));
  const again = useRerun(project, run.id);
  const navigate = useNavigate();
  const begin = () =>
    again.mutate(
      { from, key },
      {
        onSuccess: (made) => {
          close();
          toast({ title: "It runs again", message: `Run ${made.id}, from ${from}` });
          void navigate({
            to: "/p/$project/pipelines/$run",
            params: { project, run: made.id },
            search: {},
          });
        },
      },
    );
  return (
    <Loaded query={graph}>
      {(g) => (
        <>
          <Choice
            data-autofocus
            label="From"
            data={choices(g, first)}
            value={from}
            onChange={(v) => {
              setFrom(v ?? first);
              setKey(crypto.randomUUID());
            }}
          />
          <p>{consequence(g, from)}</p>
          <p className={css.dim}>
            It has the same commit, file and data. It belongs to no case: what it makes is a new
            version, which nobody is asked to release.
          </p>
          <Command>{`fairlead rerun ${from} --run ${run.id}`}</Command>
          {again.isError && <Failure error={again.error} />}
          <DialogButtons>
            <Button variant="default" onClick={close}>
              Leave it
            </Button>
            <Button loading={again.isPending} onClick={begin}>
              Run again
            </Button>
          </DialogButtons>
        </>
      )}
    </Loaded>
  );
}

/** What a run can be done again from: each step, and the one that was looked at. */
export function choices(g: PipelineGraph, first: string): { value: string; label: string }[] {
  const several = g.tries > 1;
  const names = g.nodes.map((n) => ({
    value: n.id,
    label:
      n.part === "refit"
        ? `${n.step}, refit`
        : n.part === "try" && several
          ? `${n.step}, all tries`
          : n.step,
  }));
  const [step, part] = first.split("@");
  if (names.some((n) => n.value === first)) return names;
  return [{ value: first, label: several ? `${step}, try ${part}` : (step ?? first) }, ...names];
}

/** Which nodes of the graph come after a step, with it, in order. */
export function following(g: PipelineGraph, from: string): string[] {
  const [step = from, part] = from.split("@");
  const found = new Set([part === "refit" ? from : step]);
  for (const n of g.nodes) {
    if (g.edges.some((e) => !e.data && e.to === n.id && found.has(e.from))) found.add(n.id);
    if (n.part === "refit" && found.has(n.step)) found.add(n.id);
  }
  return g.nodes.map((n) => n.id).filter((id) => found.has(id));
}

function consequence(g: PipelineGraph, from: string): string {
  const ids = following(g, from);
  const names = ids.map((id) => id.replace("@refit", " (refit)"));
  const part = from.split("@")[1];
  const tried = g.tries > 1 && g.nodes.some((n) => n.part === "try" && ids.includes(n.id));
  const which = !tried
    ? ""
    : part && part !== "refit"
      ? `, of try ${part}`
      : `, of all ${g.tries} tries`;
  const rest = g.nodes.length - ids.length;
  const kept = rest === 0 ? "Nothing is taken from this run." : "The rest is taken from this run.";
  return `${names.join(", ")} ${names.length === 1 ? "runs" : "run"} again${which}, whatever the cache holds. ${kept}`;
}
