import { DataTable, type Column } from "../../components/DataTable";
import { VersionLink } from "../../components/links";
import { Time } from "../../components/Time";
import type { Failure } from "../../data/endpoints";
import { count, UNKNOWN } from "../../format/number";
import css from "./RolloutTable.module.css";

const words: Record<string, string> = {
  error: "not answered",
  refused: "refused: the caller's fault",
  failed: "not scored",
};

/** What went wrong at an endpoint, in the words that its callers got. */
export function Failures({ model, failures }: { model: string; failures: readonly Failure[] }) {
  const columns: Column<Failure>[] = [
    { id: "last", head: "Last", sort: (f) => f.last, cell: (f) => <Time at={f.last} /> },
    { id: "n", head: "Times", numeric: true, sort: (f) => f.count, cell: (f) => count(f.count) },
    { id: "what", head: "What", sort: (f) => f.what, cell: (f) => words[f.what] ?? f.what },
    {
      id: "version",
      head: "By",
      cell: (f) => (f.version ? <VersionLink model={model} version={f.version} /> : UNKNOWN),
    },
    { id: "words", head: "In words", cell: (f) => <span className={css.why}>{f.message}</span> },
    { id: "id", head: "Newest request", minor: true, cell: (f) => <code>{f.request}</code> },
    { id: "first", head: "First", minor: true, cell: (f) => <Time at={f.first} /> },
  ];
  return (
    <DataTable
      label="What went wrong"
      columns={columns}
      rows={failures}
      rowKey={(f) => `${f.version} ${f.what} ${f.code} ${f.message}`}
    />
  );
}
