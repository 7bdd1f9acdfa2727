import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { StatusBadge } from "../../components/Badge";
import { DataTable, type Column } from "../../components/DataTable";
import { Failure } from "../../components/State";
import { Time } from "../../components/Time";
import { CaseLink, VersionLink } from "../../components/links";
import { replayQuery, type Check, type Decision } from "../../data/models";
import { plural, value } from "../../format/number";
import css from "./models.module.css";
import { factText } from "./words";

/** A gate's decision: each check with what it needed and what it got. */
export function DecisionCard({ project, decision: d }: { project: string; decision: Decision }) {
  return (
    <article className={css.decision} id={d.id} aria-label={`Decision ${d.id}`}>
      <div className={css.decisionHead}>
        <StatusBadge state={d.result} />
        <span>
          <Time at={d.at} clock="stream" /> <span className={css.dim}>in stream time</span>
        </span>
        <span className={css.dim}>
          decided <Time at={d.created} />
        </span>
        {d.baseline !== undefined && (
          <span className={css.dim}>
            compared with <VersionLink model={d.model} version={d.baseline} />, live then
          </span>
        )}
        {d.checks.length > 0 && (
          <span className={css.dim}>
            {d.checks.filter((c) => c.state === "green").length} of{" "}
            {plural(d.checks.length, "check")} met
          </span>
        )}
        {d.case && (
          <span className={css.dim}>
            in <CaseLink id={d.case} />
          </span>
        )}
        <Again project={project} id={d.id} />
      </div>
      {d.note && <p className={css.none}>{d.note}</p>}
      {d.checks.length > 0 && (
        <div className={css.checks}>
          <DataTable
            label={`Checks of ${d.id}`}
            columns={columns}
            rows={d.checks.toSorted((a, b) => rank(a) - rank(b))}
            rowKey={(c) => c.name}
          />
        </div>
      )}
    </article>
  );
}

/** What is not met comes first; else the order is that of the file. */
const rank = (c: Check) => (c.state === "green" ? 1 : 0);

const said: Record<string, string> = { green: "met", red: "not met" };

const columns: Column<Check>[] = [
  {
    id: "state",
    head: "Result",
    cell: (c) => <StatusBadge state={c.state} label={said[c.state] ?? c.state} />,
  },
  {
    id: "check",
    head: "Check",
    cell: (c) => (
      <div className={css.checked}>
        <div>{c.name}</div>
        <code className={css.mono}>{c.check}</code>
        {c.state !== "green" && (
          <div className={c.state === "red" ? css.missed : css.dim}>{gapText(c)}</div>
        )}
      </div>
    ),
  },
  { id: "operands", head: "What it read", cell: (c) => <Operands check={c} /> },
];

function Operands({ check }: { check: Check }) {
  const names = Object.keys(check.values).sort();
  return (
    <dl className={css.operands}>
      {names.map((name) => (
        <div key={name} style={{ display: "contents" }}>
          <dt>{name}</dt>
          <dd>{factText(check.values[name])}</dd>
        </div>
      ))}
      {(check.missing ?? []).map((name) => (
        <div key={name} style={{ display: "contents" }}>
          <dt>{name}</dt>
          <dd className={css.missed}>missing</dd>
        </div>
      ))}
    </dl>
  );
}

/** By how much a comparison failed, or what else the check says. */
export function gapText(c: Check): string {
  if (!c.gap) return c.message;
  const { got, op, needed, difference } = c.gap;
  return `got ${value(got)}, needed ${op} ${value(needed)}: missed by ${value(Math.abs(difference))}`;
}

/** Computes a stored decision again, from its stored policy and facts. */
function Again({ project, id }: { project: string; id: string }) {
  const again = useQuery({ ...replayQuery(project, id), enabled: false });
  return (
    <span className={css.screen} aria-live="polite">
      {again.isSuccess ? (
        <span className={css.ok}>computed again: the same</span>
      ) : (
        <Button
          variant="subtle"
          size="compact-xs"
          loading={again.isFetching}
          onClick={() => void again.refetch()}
        >
          Compute it again
        </Button>
      )}
      {again.isError && <Failure error={again.error} />}
    </span>
  );
}
