import { Section } from "../../components/Page";
import { Words, type WordsChange } from "../../components/Words";
import { useMay } from "../../data/may";
import type { TrackedRun } from "../../data/run";
import { useChange } from "./Actions";

const NOTE = "mlflow.note.content";

/** Whether a program set a tag for itself. */
export const isOfProgram = (key: string) => key !== NOTE && /^(mlflow|fairlead)\./.test(key);

/** What people wrote about a run; MLflow's pages show the same. */
export function Notes({ project, run }: { project: string; run: TrackedRun }) {
  const track = useMay("track");
  const change = useChange(project, run.id);
  const save = (c: WordsChange, done: () => void) => {
    const [key, value] =
      c.kind === "describe" ? [NOTE, c.description.trim()] : [c.key, c.kind === "tag" && c.value];
    const gone = c.kind === "untag" || (c.kind === "describe" && value === "");
    change.mutate(
      { kind: "tag", set: gone ? {} : { [key]: String(value) }, remove: gone ? [key] : [] },
      { onSuccess: done },
    );
  };
  return (
    <Section title="Notes and tags">
      <Words
        label="Notes"
        description={run.tags[NOTE] ?? ""}
        tags={Object.entries(run.tags)
          .filter(([key]) => key !== NOTE && !isOfProgram(key))
          .map(([key, value]) => ({ key, value }))}
        locked={run.state === "deleted" ? "The run is in the trash; restore it first" : track.why}
        onChange={save}
        pending={change.isPending}
      />
    </Section>
  );
}
