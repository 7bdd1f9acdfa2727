import { DataTable, type Column } from "../../components/DataTable";
import { DatasetLink } from "../../components/links";
import { Time } from "../../components/Time";
import type { Facts, Signature } from "../../data/models";
import { bytes, count, UNKNOWN, value } from "../../format/number";
import { day } from "../../format/time";
import css from "./models.module.css";
import { anyText, factText } from "./words";

type Field = Signature["inputs"][number] & { side: string };

/** What a model takes and gives, column by column. */
export function SignatureTable({ signature }: { signature: Signature }) {
  const rows: Field[] = [
    ...signature.inputs.map((f) => ({ ...f, side: "input" })),
    ...signature.outputs.map((f) => ({ ...f, side: "output" })),
  ];
  const columns: Column<Field>[] = [
    { id: "side", head: "Side", sort: (f) => f.side, cell: (f) => f.side },
    { id: "name", head: "Name", sort: (f) => f.name, cell: (f) => f.name },
    {
      id: "kind",
      head: "Type",
      sort: (f) => f.kind,
      cell: (f) => (f.required ? f.kind : `${f.kind}, optional`),
    },
  ];
  return (
    <DataTable
      label="Signature"
      columns={columns}
      rows={rows}
      rowKey={(f) => `${f.side} ${f.name}`}
    />
  );
}

type Data = Facts["data"][number];

/** The dataset versions that a version was made from. */
export function DataFactsTable({ data }: { data: readonly Data[] }) {
  const columns: Column<Data>[] = [
    {
      id: "dataset",
      head: "Dataset",
      sort: (d) => d.dataset,
      cell: (d) => <DatasetLink dataset={d.dataset} n={d.n} />,
    },
    {
      id: "use",
      head: "Use",
      cell: (d) => (d.dataset === "holdout" ? "held back for the gate" : "input of the pipeline"),
    },
    { id: "rows", head: "Rows", numeric: true, sort: (d) => d.rows, cell: (d) => count(d.rows) },
    {
      id: "columns",
      head: "Columns",
      numeric: true,
      minor: true,
      sort: (d) => d.columns,
      cell: (d) => count(d.columns),
    },
    {
      id: "bytes",
      head: "Size",
      numeric: true,
      minor: true,
      sort: (d) => d.bytes,
      cell: (d) => bytes(d.bytes),
    },
    { id: "span", head: "Data time", cell: span },
    { id: "source", head: "From", minor: true, sort: (d) => d.source, cell: (d) => d.source },
  ];
  return (
    <DataTable label="Data" columns={columns} rows={data} rowKey={(d) => `${d.dataset} ${d.n}`} />
  );
}

function span(d: Data): string {
  return d.from_ms && d.to_ms ? `${day(d.from_ms)} to ${day(d.to_ms)}` : UNKNOWN;
}

interface Named {
  name: string;
  text: string;
}

/** Names with their values, such as params. */
export function NamedTable(props: { label: string; rows: readonly Named[]; numeric?: boolean }) {
  const columns: Column<Named>[] = [
    { id: "name", head: "Name", sort: (r) => r.name, cell: (r) => r.name },
    {
      id: "value",
      head: "Value",
      ...(props.numeric ? { numeric: true } : {}),
      cell: (r) => r.text,
    },
  ];
  return (
    <div className={css.tall}>
      <DataTable label={props.label} columns={columns} rows={props.rows} rowKey={(r) => r.name} />
    </div>
  );
}

/** The newest values of the metrics of the run that made a version. */
export function runMetrics(facts: Facts): Named[] {
  return Object.entries(facts.run?.metrics ?? {})
    .map(([name, x]) => ({ name, text: x === null ? "NaN" : value(x) }))
    .sort(byName);
}

/** What was measured of the candidate on the holdout. */
export function judgedMetrics(facts: Facts): Named[] {
  return Object.entries(facts.evidence ?? {})
    .filter(([name]) => name.startsWith("candidate."))
    .map(([name, fact]) => ({ name: name.slice("candidate.".length), text: factText(fact) }))
    .sort(byName);
}

/** The params by step, as step.param; those of the run where no pipeline made the version. */
export function paramsOf(facts: Facts): Named[] {
  const steps = facts.version.produced_by.params;
  if (steps === undefined) {
    return Object.entries(facts.run?.params ?? {})
      .map(([name, text]) => ({ name, text }))
      .sort(byName);
  }
  return Object.entries(steps)
    .flatMap(([step, params]) =>
      typeof params === "object" && params !== null
        ? Object.entries(params).map(([name, v]) => ({ name: `${step}.${name}`, text: anyText(v) }))
        : [{ name: step, text: anyText(params) }],
    )
    .sort(byName);
}

function byName(a: Named, b: Named): number {
  return a.name.localeCompare(b.name, "en", { numeric: true });
}

type Condition = Facts["version"]["conditions"][number];
type Hold = Facts["version"]["holds"][number];

const holds: Record<string, string> = { true: "yes", false: "no", unknown: "not known yet" };

/** What other stages found out about a version. */
export function ConditionsTable({ conditions }: { conditions: readonly Condition[] }) {
  const columns: Column<Condition>[] = [
    { id: "type", head: "Condition", sort: (c) => c.type, cell: (c) => c.type },
    { id: "status", head: "Holds", cell: (c) => holds[c.status] ?? c.status },
    { id: "reason", head: "Why", cell: (c) => c.reason ?? UNKNOWN },
    { id: "since", head: "Since", minor: true, cell: (c) => <Time at={c.updated_ms} /> },
  ];
  return (
    <DataTable label="Conditions" columns={columns} rows={conditions} rowKey={(c) => c.type} />
  );
}

/** Who depends on a version, so that it can be neither retired nor deleted. */
export function HoldsList({ all }: { all: readonly Hold[] }) {
  if (all.length === 0) return <p className={css.none}>Nobody depends on this version.</p>;
  return (
    <ul className={css.effects}>
      {all.map((h) => (
        <li key={`${h.kind} ${h.id}`}>
          {h.kind} {h.id}: {h.reason}
        </li>
      ))}
    </ul>
  );
}
