import { Button, Textarea } from "@mantine/core";
import { useState } from "react";
import { GuardedButton } from "../../components/GuardedButton";
import { Section } from "../../components/Page";
import { useMay } from "../../data/may";
import type { TrackedRun } from "../../data/run";
import { useChange } from "./Actions";
import css from "./Overview.module.css";

const NOTE = "mlflow.note.content";

/** What people wrote about a run; MLflow's pages show the same. */
export function Notes({ project, run }: { project: string; run: TrackedRun }) {
  const track = useMay("track");
  const change = useChange(project, run.id);
  const note = run.tags[NOTE] ?? "";
  const [draft, setDraft] = useState<string>();
  const why = run.state === "deleted" ? "The run is in the trash; restore it first" : track.why;
  const save = (text: string) =>
    change.mutate(
      text.trim() === ""
        ? { kind: "tag", set: {}, remove: [NOTE] }
        : { kind: "tag", set: { [NOTE]: text }, remove: [] },
      { onSuccess: () => setDraft(undefined) },
    );
  return (
    <Section
      title="Notes"
      actions={
        draft === undefined && (
          <GuardedButton
            variant="subtle"
            size="compact-xs"
            why={why}
            onClick={() => setDraft(note)}
          >
            {note === "" ? "Write" : "Edit"}
          </GuardedButton>
        )
      }
    >
      {draft === undefined ? (
        <p className={note === "" ? css.hint : css.note}>
          {note === "" ? "What was tried here, and what came of it." : note}
        </p>
      ) : (
        <form
          onSubmit={(e) => {
            e.preventDefault();
            save(draft);
          }}
        >
          <Textarea
            aria-label="Notes"
            autosize
            minRows={3}
            maxRows={16}
            maxLength={8000}
            value={draft}
            onChange={(e) => setDraft(e.currentTarget.value)}
          />
          <div className={css.buttons}>
            <Button type="submit" loading={change.isPending}>
              Save
            </Button>
            <Button variant="default" onClick={() => setDraft(undefined)}>
              Cancel
            </Button>
          </div>
        </form>
      )}
    </Section>
  );
}
