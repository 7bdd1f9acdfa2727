import { Button, TextInput } from "@mantine/core";
import { useMutation, useQueries, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Filter } from "lucide-react";
import { useState, type SubmitEvent } from "react";
import { Lines, Loaded } from "../../components/Loaded";
import { Section } from "../../components/Page";
import { RowGrid } from "../../components/RowGrid";
import { Empty, Failure } from "../../components/State";
import { Problem } from "../../data/client";
import {
  cellsOf,
  lookAtHoldout,
  ROWS,
  rowsQuery,
  type DatasetVersion,
  type Ref,
} from "../../data/datasets";
import { useMay } from "../../data/may";
import { plural } from "../../format/number";
import css from "./data.module.css";
import { nameOf, quoted } from "./words";

interface RowsProps {
  project: string;
  version: DatasetVersion;
}

/** The rows of a version. Those of a holdout stay closed until the reader says why they look. */
export function Rows({ project, version: v }: RowsProps) {
  const first = useQuery({
    ...rowsQuery(project, v, 0),
    retry: (n, err) => !closed(err) && n < 2,
  });
  if (closed(first.error)) return <Closed project={project} at={v} />;
  return (
    <Section
      title="Rows"
      about={`${plural(v.rows, "row")}, in the order of the source`}
      actions={<Where project={project} at={v} />}
      flush
    >
      <Loaded
        query={first}
        skeleton={
          <div style={{ padding: 16 }}>
            <Lines n={14} height={22} />
          </div>
        }
        isEmpty={(r) => r.total === 0}
        empty={
          <Empty title="The version has no rows">
            There were none when it was made: no requests yet, or none with a label.
          </Empty>
        }
      >
        {(r) => (
          <>
            <Paged project={project} at={v} columns={r.columns} total={r.total} />
            {r.more > 0 && (
              <p className={css.why} style={{ padding: "8px 16px", margin: 0 }}>
                {plural(r.more, "column")} more are left out; select them with SQL.
              </p>
            )}
          </>
        )}
      </Loaded>
    </Section>
  );
}

function closed(err: unknown): boolean {
  return err instanceof Problem && err.code === "precondition" && "holdout" in err.extra;
}

interface PagedProps {
  project: string;
  at: Ref;
  columns: { name: string; type: string }[];
  total: number;
}

/** The grid, which asks for the pages in sight. */
function Paged({ project, at, columns, total }: PagedProps) {
  const [range, setRange] = useState({ first: 0, last: 0 });
  const pages = Array.from(
    { length: Math.floor(range.last / ROWS) - Math.floor(range.first / ROWS) + 1 },
    (_, i) => Math.floor(range.first / ROWS) + i,
  );
  const got = useQueries({ queries: pages.map((page) => rowsQuery(project, at, page)) });
  const failed = got.find((g) => g.isError);
  const row = (i: number) => {
    const page = got[pages.indexOf(Math.floor(i / ROWS))]?.data;
    const values = page?.rows[i % ROWS];
    return values === undefined ? undefined : cellsOf(values);
  };
  return (
    <>
      {failed && <Failure error={failed.error} retry={() => void failed.refetch()} />}
      <RowGrid
        label={`Rows of ${nameOf(at)}`}
        columns={columns}
        count={total}
        row={row}
        onRange={(first, last) => setRange({ first, last })}
      />
    </>
  );
}

/** A condition in SQL, which leads to the query's page. */
function Where({ project, at }: { project: string; at: Ref }) {
  const [text, setText] = useState("");
  const navigate = useNavigate();
  const run = useMay("run");
  const submit = (e: SubmitEvent) => {
    e.preventDefault();
    const where = text.trim() ? `\nwhere ${text.trim()}` : "";
    void navigate({
      to: "/p/$project/data/query",
      params: { project },
      search: { sql: `select *\nfrom ${quoted(nameOf(at))}${where}` },
    });
  };
  return (
    <form className={css.bar} style={{ margin: 0 }} onSubmit={submit}>
      <TextInput
        aria-label="Condition in SQL"
        placeholder="hr between 7 and 9"
        leftSection={<Filter size={13} aria-hidden />}
        value={text}
        onChange={(e) => setText(e.currentTarget.value)}
        disabled={!run.may}
        title={run.why}
      />
      <Button type="submit" variant="default" disabled={!run.may}>
        Filter with SQL
      </Button>
    </form>
  );
}

/** What stands before the rows of a holdout. */
function Closed({ project, at }: { project: string; at: Ref }) {
  const [reason, setReason] = useState("");
  const queries = useQueryClient();
  const run = useMay("run");
  const look = useMutation({
    mutationFn: () => lookAtHoldout(project, at, reason),
    onSuccess: async () => {
      await queries.resetQueries({
        queryKey: ["p", project, "dataset-rows", at.dataset, at.n],
      });
      void queries.invalidateQueries({ queryKey: ["p", project, "datasets", "reads"] });
      void queries.invalidateQueries({ queryKey: ["p", project, "dataset-diff"] });
    },
  });
  return (
    <Section title="Rows">
      <form
        className={css.locked}
        onSubmit={(e) => {
          e.preventDefault();
          look.mutate();
        }}
      >
        <p>
          <strong>These rows are held back.</strong> The gate judges versions on them, and what
          people learn from them finds its way into models. So each look is recorded with your name
          and your reason, before a row is shown; then they are open to you for an hour.
        </p>
        <TextInput
          label="Why do you look at them?"
          value={reason}
          maxLength={500}
          disabled={!run.may}
          onChange={(e) => setReason(e.currentTarget.value)}
        />
        {look.isError && <Failure error={look.error} />}
        <div>
          <Button
            type="submit"
            loading={look.isPending}
            disabled={!run.may || reason.trim() === ""}
          >
            Record it and show the rows
          </Button>
        </div>
        {!run.may && <p className={css.why}>{run.why}</p>}
      </form>
    </Section>
  );
}
