import { Alert, Button, Checkbox, NativeSelect, TextInput } from "@mantine/core";
import { useState, type ReactNode } from "react";
import { Dialog, DialogButtons } from "../../components/Dialog";
import { GuardedButton } from "../../components/GuardedButton";
import { Failure } from "../../components/State";
import { CaseLink } from "../../components/links";
import { toast } from "../../components/toast";
import { useMay } from "../../data/may";
import { useModelChange, type ModelChange, type Stage, type Version } from "../../data/models";
import css from "./models.module.css";

interface DialogProps {
  project: string;
  model: string;
  onClose: () => void;
}

interface ConfirmProps extends DialogProps {
  title: string;
  /** What the button says: the deed, not "OK". */
  deed: string;
  dangerous?: boolean;
  change: ModelChange;
  ready?: boolean;
  /** What stands there once it is done; without it the dialog closes. */
  done?: (answer: unknown) => ReactNode;
  /** What is said once it is done. */
  said?: string;
  onDone?: () => void;
  children: ReactNode;
}

/** Says what a change does, makes it, and shows the server's words when it fails. */
function Confirm(props: ConfirmProps) {
  const change = useModelChange(props.project, props.model);
  const done = change.isSuccess && props.done;
  return (
    <Dialog opened onClose={props.onClose} title={props.title} size="lg">
      {done ? (
        <>
          {done(change.data)}
          <DialogButtons>
            <Button onClick={props.onClose} data-autofocus>
              Close
            </Button>
          </DialogButtons>
        </>
      ) : (
        <form
          data-keys-to="[data-autofocus]" // of what comes in its place
          onSubmit={(e) => {
            e.preventDefault();
            change.mutate(props.change, {
              onSuccess: () => {
                if (!props.done) props.onClose();
                if (props.said) toast({ title: props.said });
                props.onDone?.();
              },
            });
          }}
        >
          {props.children}
          {change.isError && <Failure error={change.error} />}
          <DialogButtons>
            <Button variant="default" onClick={props.onClose}>
              Cancel
            </Button>
            <Button
              type="submit"
              loading={change.isPending}
              disabled={props.ready === false}
              {...(props.dangerous ? { color: "red" } : {})}
            >
              {props.deed}
            </Button>
          </DialogButtons>
        </form>
      )}
    </Dialog>
  );
}

interface VersionDialogProps extends DialogProps {
  version: number;
}

function CandidateDialog(props: VersionDialogProps) {
  return (
    <Confirm
      {...props}
      title={`Make version ${props.version} the candidate?`}
      deed="Make it the candidate"
      change={{ kind: "candidate", version: props.version }}
      done={(answer) => (
        <Alert variant="light" color="green" title="A case has begun" role="status">
          <CaseLink id={caseOf(answer)}>Follow it</CaseLink>: packaging, gate, release.
        </Alert>
      )}
    >
      <p>This opens a case of the loop for {props.model}:</p>
      <ul className={css.effects}>
        <li>The version is packaged, which runs its code with the rights of the server.</li>
        <li>The gates judge it on the holdout, beside the version that is live.</li>
        <li>
          If they pass, it is released to each environment of fairlead.yaml in order, production
          too, as the file says: by canary, shadow or at once.
        </li>
        <li>An earlier candidate that waits is superseded.</li>
      </ul>
    </Confirm>
  );
}

interface CandidateButtonProps {
  project: string;
  version: Version;
  /** Why it may not be now, whoever asks; "" when it may. */
  locked: string;
}

/** Makes a version the candidate, after saying what that starts. */
export function CandidateButton({ project, version: v, locked }: CandidateButtonProps) {
  const [opened, setOpened] = useState(false);
  const { why } = useMay("run");
  return (
    <>
      <GuardedButton why={candidateWhy(v, locked || why)} onClick={() => setOpened(true)}>
        Make it the candidate
      </GuardedButton>
      {opened && (
        <CandidateDialog
          project={project}
          model={v.model}
          version={v.n}
          onClose={() => setOpened(false)}
        />
      )}
    </>
  );
}

function candidateWhy(v: Version, refused: string): string {
  if (refused !== "") return refused;
  if (v.state === "retired") return "A retired version cannot be released; choose another one";
  if (v.aliases.includes("live")) return "It is live already";
  return "";
}

function caseOf(answer: unknown): string {
  const id = typeof answer === "object" && answer !== null && "id" in answer ? answer.id : "";
  return typeof id === "string" ? id : "";
}

interface AliasDialogProps extends VersionDialogProps {
  /** Where the aliases point now. */
  aliases: Readonly<Record<string, number>>;
}

export function AliasDialog(props: AliasDialogProps) {
  const [alias, setAlias] = useState("");
  const name = alias.trim();
  const from = props.aliases[name] ?? 0;
  return (
    <Confirm
      {...props}
      title={`Give version ${props.version} an alias`}
      deed={from === 0 ? "Set the alias" : "Move the alias"}
      ready={name !== "" && from !== props.version}
      change={{ kind: "alias", alias: name, version: props.version, from }}
      said={`Version ${props.version} has the alias ${name}`}
    >
      <TextInput
        label="Alias"
        description="Clients ask for the version by it: models:/name@alias. The alias live is moved by releases alone; candidate has a button of its own."
        required
        value={alias}
        onChange={(e) => setAlias(e.currentTarget.value)}
        data-autofocus
      />
      {from !== 0 && from !== props.version && (
        <p>
          It points at version {from} now. Whoever asks for {name} gets version {props.version} from
          then on.
        </p>
      )}
      {from !== 0 && from === props.version && <p>Version {props.version} has it already.</p>}
    </Confirm>
  );
}

export function UnaliasDialog(props: DialogProps & { alias: string; version: number }) {
  return (
    <Confirm
      {...props}
      title={`Remove the alias ${props.alias}?`}
      deed="Remove the alias"
      dangerous
      change={{ kind: "unalias", alias: props.alias }}
      said={`The alias ${props.alias} is removed`}
    >
      <p>
        It points at version {props.version}, which stays as it is. Whoever asks for {props.model}@
        {props.alias} gets nothing from then on.
      </p>
    </Confirm>
  );
}

const stages: Stage[] = ["None", "Staging", "Production", "Archived"];

export function StageDialog(props: VersionDialogProps & { stage: string }) {
  const [stage, setStage] = useState<Stage>(stages.find((s) => s === props.stage) ?? "None");
  const [archive, setArchive] = useState(false);
  const active = stage === "Staging" || stage === "Production";
  return (
    <Confirm
      {...props}
      title={`Stage of version ${props.version}`}
      deed="Set the stage"
      change={{ kind: "stage", version: props.version, stage, archive: archive && active }}
      said={`Version ${props.version} is at the stage ${stage}`}
    >
      <NativeSelect
        label="Stage"
        description="Stages are MLflow's older way of saying what aliases say. They start nothing and release nothing."
        data={stages}
        value={stage}
        onChange={(e) => setStage(stages.find((s) => s === e.currentTarget.value) ?? "None")}
        data-autofocus
      />
      {active && (
        <Checkbox
          label={`Archive the other versions that are at ${stage}`}
          checked={archive}
          onChange={(e) => setArchive(e.currentTarget.checked)}
        />
      )}
    </Confirm>
  );
}

export function DeleteVersionDialog(props: VersionDialogProps & { onDone: () => void }) {
  return (
    <Confirm
      {...props}
      title={`Delete version ${props.version} of ${props.model}?`}
      deed={`Delete version ${props.version}`}
      dangerous
      change={{ kind: "delete", version: props.version }}
      said={`Version ${props.version} of ${props.model} is deleted`}
    >
      <p>
        The version, its package and its aliases are removed for good; there is no trash for them.
        Its number is not given again, its events and decisions stay in the ledger, and the run that
        made it stays. A version that is live or held cannot be deleted.
      </p>
    </Confirm>
  );
}

export function DeleteModelDialog(props: DialogProps & { onDone: () => void }) {
  const [typed, setTyped] = useState("");
  return (
    <Confirm
      {...props}
      title={`Delete the model ${props.model}?`}
      deed="Delete the model"
      dangerous
      ready={typed === props.model}
      change={{ kind: "delete" }}
      said={`The model ${props.model} is deleted`}
    >
      <p>
        The model and all its versions with their packages and aliases are removed for good; there
        is no trash for them. Their events and decisions stay in the ledger, and the runs that made
        them stay. A model with a version that is live or held cannot be deleted.
      </p>
      <TextInput
        label={`Type ${props.model} to confirm`}
        value={typed}
        onChange={(e) => setTyped(e.currentTarget.value)}
        autoComplete="off"
        data-autofocus
      />
    </Confirm>
  );
}
