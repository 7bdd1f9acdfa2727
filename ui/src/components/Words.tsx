import { Button, Textarea, TextInput } from "@mantine/core";
import { Pencil, Plus, X } from "lucide-react";
import { useState } from "react";
import { GuardedButton } from "./GuardedButton";
import { Failure } from "./State";
import css from "./Words.module.css";

/** A change of words; done is to be called once it is made. */
export type WordsChange =
  | { kind: "describe"; description: string }
  | { kind: "tag"; key: string; value: string }
  | { kind: "untag"; key: string };

interface WordsProps {
  /** What the text is called. */
  label?: string;
  description: string;
  tags: readonly { key: string; value: string }[];
  /** Why they may not be changed now; "" when they may. */
  locked: string;
  onChange: (change: WordsChange, done: () => void) => void;
  pending: boolean;
  error?: Error | null;
}

/** A text and tags that people give to something. */
export function Words(props: WordsProps) {
  return (
    <div className={css.words}>
      <Description {...props} />
      <Tags {...props} />
      {props.error && <Failure error={props.error} />}
    </div>
  );
}

/** A form that opens in the place of its button, which has the focus again when it is closed. */
function useForm() {
  const [state, set] = useState<"new" | "open" | "closed">("new");
  return {
    open: state === "open",
    begin: () => set("open"),
    end: () => set("closed"),
    autoFocus: state === "closed",
  };
}

function Description({
  label = "Description",
  description,
  locked,
  onChange,
  pending,
}: WordsProps) {
  const form = useForm();
  const [draft, setDraft] = useState("");
  if (!form.open) {
    return (
      <div className={css.row}>
        <p className={description === "" ? css.none : css.text}>
          {description || `No ${label.toLowerCase()}.`}
        </p>
        <span className={css.screen}>
          <GuardedButton
            why={locked}
            variant="subtle"
            size="compact-xs"
            autoFocus={form.autoFocus}
            leftSection={<Pencil size={13} aria-hidden />}
            onClick={() => {
              setDraft(description);
              form.begin();
            }}
          >
            {description === "" ? "Describe it" : "Edit"}
          </GuardedButton>
        </span>
      </div>
    );
  }
  return (
    <form
      className={css.words}
      onSubmit={(e) => {
        e.preventDefault();
        onChange({ kind: "describe", description: draft }, form.end);
      }}
    >
      <Textarea
        label={label}
        autosize
        minRows={3}
        maxRows={16}
        maxLength={8000}
        value={draft}
        onChange={(e) => setDraft(e.currentTarget.value)}
        autoFocus
      />
      <div className={css.row}>
        <Button type="submit" loading={pending}>
          Save
        </Button>
        <Button variant="default" onClick={form.end}>
          Cancel
        </Button>
      </div>
    </form>
  );
}

function Tags({ tags, locked, onChange, pending }: WordsProps) {
  const form = useForm();
  const [key, setKey] = useState("");
  const [value, setValue] = useState("");
  return (
    <>
      <div className={css.row}>
        {tags.length === 0 ? (
          <p className={css.none}>No tags.</p>
        ) : (
          <ul className={css.tags} aria-label="Tags">
            {tags.map((tag) => (
              <li key={tag.key} className={css.tag}>
                <span className={css.tagKey}>{tag.key}</span> {tag.value}
                {locked === "" && (
                  <Button
                    variant="subtle"
                    color="gray"
                    size="compact-xs"
                    px={3}
                    className={css.screen ?? ""}
                    aria-label={`Remove the tag ${tag.key}`}
                    onClick={() => onChange({ kind: "untag", key: tag.key }, form.end)}
                  >
                    <X size={12} aria-hidden />
                  </Button>
                )}
              </li>
            ))}
          </ul>
        )}
        {!form.open && (
          <span className={css.screen}>
            <GuardedButton
              key={tags.length}
              why={locked}
              variant="subtle"
              size="compact-xs"
              autoFocus={form.autoFocus}
              leftSection={<Plus size={13} aria-hidden />}
              onClick={() => {
                setKey("");
                setValue("");
                form.begin();
              }}
            >
              Add a tag
            </GuardedButton>
          </span>
        )}
      </div>
      {form.open && (
        <form
          className={css.row}
          onSubmit={(e) => {
            e.preventDefault();
            onChange({ kind: "tag", key: key.trim(), value }, form.end);
          }}
        >
          <TextInput
            label="Key"
            required
            value={key}
            onChange={(e) => setKey(e.currentTarget.value)}
            autoFocus
          />
          <TextInput
            label="Value"
            value={value}
            onChange={(e) => setValue(e.currentTarget.value)}
          />
          <Button type="submit" loading={pending} disabled={key.trim() === ""}>
            Set the tag
          </Button>
          <Button variant="default" onClick={form.end}>
            Cancel
          </Button>
        </form>
      )}
    </>
  );
}
