import { Button, Textarea, TextInput } from "@mantine/core";
import { Pencil, Plus, X } from "lucide-react";
import { useState, type ReactNode } from "react";
import { GuardedButton } from "../../components/GuardedButton";
import { Failure } from "../../components/State";
import { useModelChange, type Model } from "../../data/models";
import { useMay } from "../../data/may";
import css from "./models.module.css";

interface WordsProps {
  project: string;
  model: string;
  /** Of which they are; the model's own without it. */
  version?: number;
  description: string;
  tags: Model["tags"];
  /** Why they may not be changed now; "" when they may. */
  locked: string;
}

/** The description and the tags of a model or a version, which can be changed. */
export function Words(props: WordsProps) {
  const { may, why } = useMay("track");
  const locked = props.locked || (may ? "" : why);
  return (
    <div className={css.stack}>
      <Description {...props} locked={locked} />
      <Tags {...props} locked={locked} />
    </div>
  );
}

const of = (version: number | undefined) => (version === undefined ? {} : { version });

function Description({ project, model, version, description, locked }: WordsProps) {
  const [draft, setDraft] = useState<string>();
  const change = useModelChange(project, model);
  if (draft === undefined) {
    return (
      <div className={css.row}>
        {description === "" ? (
          <p className={css.none}>No description.</p>
        ) : (
          <p className={css.text}>{description}</p>
        )}
        <span className={css.screen}>
          <GuardedButton
            why={locked}
            variant="subtle"
            size="compact-xs"
            leftSection={<Pencil size={13} aria-hidden />}
            onClick={() => setDraft(description)}
          >
            {description === "" ? "Describe it" : "Edit"}
          </GuardedButton>
        </span>
      </div>
    );
  }
  return (
    <form
      className={css.stack}
      onSubmit={(e) => {
        e.preventDefault();
        change.mutate(
          { kind: "describe", description: draft, ...of(version) },
          { onSuccess: () => setDraft(undefined) },
        );
      }}
    >
      <Textarea
        label="Description"
        autosize
        minRows={3}
        maxRows={16}
        value={draft}
        onChange={(e) => setDraft(e.currentTarget.value)}
        data-autofocus
      />
      {change.isError && <Failure error={change.error} />}
      <div className={css.row}>
        <Button type="submit" loading={change.isPending}>
          Save
        </Button>
        <Button variant="default" onClick={() => setDraft(undefined)}>
          Cancel
        </Button>
      </div>
    </form>
  );
}

function Tags({ project, model, version, tags, locked }: WordsProps) {
  const [adding, setAdding] = useState(false);
  const change = useModelChange(project, model);
  return (
    <div className={css.stack}>
      <div className={css.row}>
        {tags.length === 0 ? (
          <p className={css.none}>No tags.</p>
        ) : (
          <ul className={css.tags} aria-label="Tags">
            {tags.map((tag) => (
              <li key={tag.key} className={css.tag}>
                <span className={css.tagKey}>{tag.key}</span> {tag.value}
                <Remove
                  label={`Remove the tag ${tag.key}`}
                  locked={locked}
                  onClick={() => change.mutate({ kind: "untag", key: tag.key, ...of(version) })}
                />
              </li>
            ))}
          </ul>
        )}
        {!adding && (
          <span className={css.screen}>
            <GuardedButton
              why={locked}
              variant="subtle"
              size="compact-xs"
              leftSection={<Plus size={13} aria-hidden />}
              onClick={() => setAdding(true)}
            >
              Add a tag
            </GuardedButton>
          </span>
        )}
      </div>
      {change.isError && <Failure error={change.error} />}
      {adding && (
        <TagForm project={project} model={model} {...of(version)} onDone={() => setAdding(false)} />
      )}
    </div>
  );
}

function Remove(props: { label: string; locked: string; onClick: () => void }): ReactNode {
  if (props.locked !== "") return null;
  return (
    <Button
      variant="subtle"
      color="gray"
      size="compact-xs"
      px={3}
      className={css.screen ?? ""}
      aria-label={props.label}
      onClick={props.onClick}
    >
      <X size={12} aria-hidden />
    </Button>
  );
}

interface TagFormProps {
  project: string;
  model: string;
  version?: number;
  onDone: () => void;
}

function TagForm({ project, model, version, onDone }: TagFormProps) {
  const [key, setKey] = useState("");
  const [value, setValue] = useState("");
  const change = useModelChange(project, model);
  return (
    <form
      className={css.row}
      onSubmit={(e) => {
        e.preventDefault();
        change.mutate(
          { kind: "tag", key: key.trim(), value, ...of(version) },
          { onSuccess: onDone },
        );
      }}
    >
      <TextInput
        label="Key"
        required
        value={key}
        onChange={(e) => setKey(e.currentTarget.value)}
        autoFocus
      />
      <TextInput label="Value" value={value} onChange={(e) => setValue(e.currentTarget.value)} />
      <Button type="submit" loading={change.isPending} disabled={key.trim() === ""}>
        Set the tag
      </Button>
      <Button variant="default" onClick={onDone}>
        Cancel
      </Button>
      {change.isError && <Failure error={change.error} />}
    </form>
  );
}
