import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { ArrowUpFromLine, Undo2 } from "lucide-react";
import { Fragment, useId, useState } from "react";
import { Failed, failureOf } from "../../components/State";
import { optionsQuery, type Option, type Options } from "../../data/endpoints";
import { useMay } from "../../data/may";
import { DecisionDialog, type Choice } from "./DecisionDialog";
import css from "./DecisionBar.module.css";
import { asPercent, versionIn } from "./words";

interface DecisionBarProps {
  project: string;
  endpoint: string;
}

/**
 * Promote and Roll back, always in sight. It asks for nothing but what can be decided, so
 * it works while other parts of a page do not; and Roll back works even without that.
 */
export function DecisionBar({ project, endpoint }: DecisionBarProps) {
  const query = useQuery(optionsQuery(project, endpoint));
  const may = useMay("operate");
  const [asked, setAsked] = useState<"promote" | "back">();
  const note = useId();
  const options = query.data;
  const promote = options?.options.find((o) => o.action === "promote");
  const back = backwards(options);
  const cannotPromote = may.may ? (promote ? promote.refused : "not known yet") : undefined;
  const cannotGoBack = may.may && options && back.length === 0 ? refusal(options) : undefined;
  const target = versionIn(promote?.after, "live");
  return (
    <div className={css.bar} role="region" aria-label="Decide about this endpoint">
      <div className={css.now}>
        {options ? <Now options={options} /> : <span className={css.dim}>{endpoint}</span>}
        <span id={note} className={css.dim}>
          {!may.may && may.why}
          {cannotPromote && `Promote: ${cannotPromote}. `}
          {cannotGoBack && `Roll back: ${cannotGoBack}`}
        </span>
      </div>
      <Failed query={query} />
      <div className={css.buttons}>
        <Button
          size="sm"
          color="red"
          variant="outline"
          leftSection={<Undo2 size={15} aria-hidden />}
          disabled={!may.may || cannotGoBack !== undefined}
          aria-describedby={note}
          onClick={() => setAsked("back")}
        >
          Roll back
        </Button>
        <Button
          size="sm"
          leftSection={<ArrowUpFromLine size={15} aria-hidden />}
          disabled={!may.may || cannotPromote !== undefined}
          aria-describedby={note}
          onClick={() => setAsked("promote")}
        >
          {target ? `Promote version ${target}` : "Promote"}
        </Button>
      </div>
      {asked && (
        <DecisionDialog
          project={project}
          endpoint={endpoint}
          choices={asked === "promote" ? choicesOf(promote ? [promote] : []) : goBack(back)}
          generation={options?.generation}
          now={options?.now ?? []}
          unknown={failureOf(query)}
          onClose={() => setAsked(undefined)}
        />
      )}
    </div>
  );
}

function Now({ options }: { options: Options }) {
  const live = versionIn(options.now, "live");
  const canary = options.now.find((v) => v.role === "canary");
  const shadows = options.now.filter((v) => v.role === "shadow" && v.version !== live);
  return (
    <span>
      {live ? (
        <>
          Version <strong>{live}</strong> is live
        </>
      ) : (
        "Nothing is live"
      )}
      {canary && (
        <>
          , version <strong>{canary.version}</strong> is its canary at {asPercent(canary.percent)}
        </>
      )}
      {shadows.map(({ version }) => (
        <Fragment key={version}>
          , version <strong>{version}</strong> is its shadow
        </Fragment>
      ))}
    </span>
  );
}

/** What leads back: the end of the rollout first, then the version before. */
function backwards(options: Options | undefined): Option[] {
  return (options?.options ?? []).filter((o) => o.action !== "promote" && !o.refused);
}

function refusal(options: Options): string {
  return options.options.find((o) => o.action === "restore")?.refused ?? "";
}

function choicesOf(options: Option[]): Choice[] {
  return options.map((option) => {
    const live = versionIn(option.after, "live");
    switch (option.action) {
      case "promote":
        return { action: "promote", option, label: `Promote version ${live ?? ""}` };
      case "rollback":
        return { action: "rollback", option, label: "End the rollout" };
      default:
        return { action: "restore", option, label: `Go back to version ${live ?? ""}` };
    }
  });
}

/** Without knowing what would follow, the endpoint can still go back. */
function goBack(options: Option[]): Choice[] {
  return options.length > 0
    ? choicesOf(options)
    : [{ action: "restore", label: "Go back to the version before" }];
}
