import { Button, SegmentedControl, TextInput } from "@mantine/core";
import { Choice } from "../../components/Choice";
import { useState, type ReactNode } from "react";
import css from "./audit.module.css";
import { kinds, type AuditSearch } from "./search";

interface FiltersProps {
  search: AuditSearch;
  onChange: (search: AuditSearch) => void;
}

/** What the list is narrowed to; the address keeps it. */
export function Filters({ search, onChange }: FiltersProps) {
  const set = (part: { [K in keyof AuditSearch]: AuditSearch[K] | undefined }) => {
    const all = { ...search, ...part };
    onChange(
      Object.fromEntries(Object.entries(all).filter(([, v]) => v !== undefined && v !== "")),
    );
  };
  const known = kinds.map((k) => ({ value: k.name, label: k.label }));
  const own = search.kind && !known.some((k) => k.value === search.kind) ? [search.kind] : [];
  return (
    <div className={css.filters}>
      <Choice
        label="Kind"
        placeholder="All"
        clearable
        data={[...known, ...own.map((k) => ({ value: k, label: k }))]}
        value={search.kind ?? null}
        onChange={(kind) => set({ kind: kind ?? "" })}
      />
      <Words
        label="About"
        placeholder="model/wine*"
        value={search.subject ?? ""}
        onSet={(subject) => set({ subject })}
      />
      <Words
        label="By"
        placeholder="user:ada"
        value={search.actor ?? ""}
        onSet={(actor) => set({ actor })}
      />
      <TextInput
        type="date"
        label="From"
        value={search.from ?? ""}
        onChange={(e) => set({ from: e.currentTarget.value })}
      />
      <TextInput
        type="date"
        label="Until"
        value={search.until ?? ""}
        onChange={(e) => set({ until: e.currentTarget.value })}
      />
      <Labelled label="Clock of the days (UTC)">
        <SegmentedControl
          aria-label="Clock of the days (UTC)"
          data={[
            { value: "wall", label: "Wall" },
            { value: "stream", label: "Event time" },
          ]}
          value={search.clock ?? "wall"}
          onChange={(clock) => set({ clock: clock === "stream" ? "stream" : undefined })}
        />
      </Labelled>
      <Button
        variant="subtle"
        disabled={Object.keys(search).length === 0}
        onClick={() => onChange({})}
      >
        Show all
      </Button>
    </div>
  );
}

/** A text that counts when it is left or Enter is pressed, not with each letter. */
function Words(props: {
  label: string;
  placeholder: string;
  value: string;
  onSet: (text: string) => void;
}) {
  const [{ of, text }, setDraft] = useState({ of: props.value, text: props.value });
  if (of !== props.value) setDraft({ of: props.value, text: props.value });
  const done = () => {
    if (text.trim() !== props.value) props.onSet(text.trim());
  };
  return (
    <TextInput
      label={props.label}
      placeholder={props.placeholder}
      value={text}
      onChange={(e) => setDraft({ of, text: e.currentTarget.value })}
      onBlur={done}
      onKeyDown={(e) => {
        if (e.key === "Enter") done();
      }}
    />
  );
}

function Labelled({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div>
      <div className={css.label} aria-hidden>
        {label}
      </div>
      {children}
    </div>
  );
}
