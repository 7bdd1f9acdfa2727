import { Alert, Button, Textarea } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { CircleCheck, LoaderCircle } from "lucide-react";
import { useId, useState } from "react";
import { Command } from "../../components/Command";
import { Dialog, DialogButtons } from "../../components/Dialog";
import { Failure } from "../../components/State";
import { Problem } from "../../data/client";
import { endpointQuery, useDecide, type Option } from "../../data/endpoints";
import { polled } from "../../data/live";
import { newKey } from "../../data/once";
import css from "./DecisionDialog.module.css";
import { modelOf, versionIn } from "./words";
import { Shares } from "./Shares";

/** One of the ways that a decision can go. */
export interface Choice {
  action: "promote" | "rollback" | "restore";
  label: string;
  /** What would follow; unknown when the server could not tell. */
  option?: Option;
}

interface DecisionDialogProps {
  project: string;
  endpoint: string;
  choices: Choice[];
  generation: number | undefined;
  now: Option["after"];
  /** Why it is not known what would follow. */
  unknown: unknown;
  onClose: () => void;
}

/** Says exactly what a decision does, asks why, carries it out, and says what is next. */
export function DecisionDialog(props: DecisionDialogProps) {
  // What was asked stays as it was, whatever the page behind learns meanwhile.
  const [{ choices, generation, now }] = useState(props);
  const [chosen, setChosen] = useState(0);
  const [reason, setReason] = useState("");
  const decide = useDecide(props.project, props.endpoint);
  // The same decision has the same key: when its answer was lost, it is still done once.
  const key = useKeyOf(`${chosen} ${reason.trim()}`);
  const group = useId();
  const choice = choices[chosen];
  if (!choice) return null;
  const { option } = choice;
  const lost = decide.error instanceof Problem && decide.error.status === 0;
  const promoting = choice.action === "promote";
  return (
    <Dialog
      opened
      onClose={props.onClose}
      size="lg"
      title={
        promoting
          ? `Promote to ${props.endpoint}`
          : choice.action === "rollback"
            ? `End the rollout on ${props.endpoint}`
            : `Roll back ${props.endpoint}`
      }
    >
      {decide.isSuccess ? (
        <Done {...props} now={now} choice={choice} generation={generation} />
      ) : (
        <form
          data-keys-to="[data-autofocus]" // of what comes in its place
          onSubmit={(e) => {
            e.preventDefault();
            decide.mutate({
              action: choice.action,
              rollout: option?.rollout ?? "",
              reason: reason.trim(),
              generation,
              key,
            });
          }}
        >
          {choices.length > 1 && (
            <fieldset className={css.choices}>
              <legend>What should go back?</legend>
              {choices.map((c, i) => (
                <label key={c.action} className={css.choice}>
                  <input
                    type="radio"
                    name={group}
                    checked={i === chosen}
                    onChange={() => setChosen(i)}
                  />
                  {c.action === "rollback"
                    ? `The rollout: it ends, and version ${versionIn(c.option?.after, "live") ?? ""} stays live`
                    : `The live version too: ${c.label.toLowerCase()}`}
                </label>
              ))}
            </fieldset>
          )}
          {option ? (
            <div className={css.effects}>
              <Shares before={now ?? []} after={option.after ?? []} />
              <ul>
                {(option.effects ?? []).map((text) => (
                  <li key={text}>{text}</li>
                ))}
              </ul>
            </div>
          ) : (
            <div className={css.effects}>
              <p>
                The newest version on standby becomes live, and the live version leaves the
                endpoint. A rollout that is under way is aborted. Which versions these are{" "}
                {props.unknown == null ? "is not known yet." : "could not be loaded:"}
              </p>
              {props.unknown != null && <Failure error={props.unknown} />}
            </div>
          )}
          <Textarea
            label="Why"
            description="It is part of the record."
            required
            maxLength={1000}
            autosize
            minRows={2}
            value={reason}
            onChange={(e) => setReason(e.currentTarget.value)}
            data-autofocus
          />
          {decide.isError && (
            <Alert
              role="alert"
              variant="outline"
              color="red"
              title={lost ? "No answer came" : "It was not done"}
            >
              {decide.error.message}
              {lost &&
                ". What you wrote stays here: press the button again then. It is done once, even if it was done already."}
            </Alert>
          )}
          <DialogButtons>
            <Button variant="default" size="sm" onClick={props.onClose}>
              Cancel
            </Button>
            <Button
              type="submit"
              size="sm"
              color={promoting ? "tide" : "red"}
              disabled={reason.trim() === ""}
              loading={decide.isPending}
            >
              {choice.label}
            </Button>
          </DialogButtons>
        </form>
      )}
    </Dialog>
  );
}

/** A key that changes with what it is for. */
function useKeyOf(what: string): string {
  const [made, setMade] = useState(() => ({ what, key: newKey() }));
  if (made.what !== what) setMade({ what, key: newKey() });
  return made.key;
}

/** What has become of it, and how it is undone. */
function Done(props: DecisionDialogProps & { choice: Choice; generation: number | undefined }) {
  const { choice, endpoint, project } = props;
  const now = useQuery({ ...endpointQuery(project, endpoint), refetchInterval: polled(1000) });
  const served =
    now.data !== undefined &&
    now.data.generation > (props.generation ?? 0) &&
    now.data.observed_generation === now.data.generation;
  const live = versionIn(now.data?.variants, "live");
  const before = versionIn(props.now, "live");
  return (
    <>
      <p className={css.done} role="status">
        {served ? (
          <CircleCheck size={18} aria-hidden className={css.good} />
        ) : (
          <LoaderCircle size={18} aria-hidden />
        )}
        {served
          ? `Done: version ${live ?? ""} is live, and the server serves it.`
          : "It is decided; the server is loading what it now has to serve."}
      </p>
      {now.data?.failure && <Alert color="red" variant="outline" title={now.data.failure} />}
      <p>{nextStep(choice, before)}</p>
      {choice.action !== "promote" && (
        <Command>{`fairlead release ${modelOf(endpoint)} ${
          choice.action === "restore"
            ? (before ?? "")
            : (props.now?.find((v) => v.role === "canary" || v.role === "shadow")?.version ?? "")
        }`}</Command>
      )}
      <DialogButtons>
        <Button size="sm" onClick={props.onClose} data-autofocus>
          Close
        </Button>
      </DialogButtons>
    </>
  );
}

function nextStep(choice: Choice, before: number | undefined): string {
  switch (choice.action) {
    case "promote":
      return before
        ? `To undo it, roll back: version ${before} is on standby for that.`
        : "This was the first release: there is nothing to go back to yet.";
    case "rollback":
      return "To try the version once more, release it again:";
    case "restore":
      return "To undo it, release the version that left again. It goes through packaging, gate and rollout:";
  }
}
