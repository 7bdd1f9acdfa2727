import { Alert, Button, TextInput } from "@mantine/core";
import { History } from "lucide-react";
import { useState } from "react";
import type { AsOf } from "../../data/models";
import { absolute } from "../../format/time";
import css from "./models.module.css";

interface AsOfProps {
  asOf: AsOf;
  onChange: (asOf: AsOf) => void;
}

/** "2026-11-21T20:31:05" in the reader's zone, as fields for date and time have it. */
function fieldText(asOf: AsOf): string {
  if (asOf === "") return "";
  const d = new Date(asOf);
  return new Date(d.getTime() - d.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

/** A field for the point of wall time of which a page is shown. */
export function AsOfPicker({ asOf, onChange }: AsOfProps) {
  const [typed, setTyped] = useState<string>();
  const choose = (text: string) => {
    setTyped(undefined);
    const ms = Date.parse(text); // without a zone it is the reader's own
    if (text === "") onChange("");
    else if (!Number.isNaN(ms)) onChange(new Date(ms).toISOString());
  };
  return (
    <form
      className={css.asOf}
      onSubmit={(e) => {
        e.preventDefault();
        if (typed !== undefined) choose(typed);
      }}
    >
      <TextInput
        type="datetime-local"
        step={1}
        aria-label="As of, in your time zone"
        leftSection={<span className={css.dim}>As of</span>}
        leftSectionWidth={52}
        value={typed ?? fieldText(asOf)}
        onChange={(e) => setTyped(e.currentTarget.value)}
        onBlur={() => typed !== undefined && choose(typed)}
      />
    </form>
  );
}

/** Says that the page shows the past, and leads back. */
export function PastNote({ asOf, onChange, children }: AsOfProps & { children?: string }) {
  if (asOf === "") return null;
  return (
    <Alert variant="light" color="yellow" icon={<History size={18} aria-hidden />} role="status">
      <div className={css.past}>
        <span>
          As it was on <strong>{absolute(Date.parse(asOf))}</strong>, by the wall clock. {children}
        </span>
        <Button variant="default" onClick={() => onChange("")}>
          Back to now
        </Button>
      </div>
    </Alert>
  );
}

/** Why nothing can be changed while the past is shown; "" now. */
export function pastWhy(asOf: AsOf): string {
  return asOf === "" ? "" : "The past cannot be changed; go back to now first";
}
