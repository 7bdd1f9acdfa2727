import { Button, TextInput } from "@mantine/core";
import { useMutation, useQueries, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { Filter } from "lucide-react";
import { useState } from "react";
import { GuardedButton } from "../../components/GuardedButton";
import { Lines, Loaded } from "../../components/Loaded";
import { Section } from "../../components/Page";
import { RowGrid } from "../../components/RowGrid";
import { Empty, Failed, Failure, failureOf } from "../../components/State";
import { Problem } from "../../data/client";
import {
  cellsOf,
  foundQuery,
  lookAtHoldout,
  ROWS,
  rowsQuery,
  type DatasetVersion,
  type Ref,
} from "../../data/datasets";
import { useMay } from "../../data/may";
import { count, plural } from "../../format/number";
import css from "./data.module.css";
import { Wrong } from "./query";
import { nameOf, quoted } from "./words";

interface RowsProps {
  project: string;
  version: DatasetVersion;
}

const ROUTE = "/p/$project/data/$dataset/$version";

/** The rows of a version. Those of a holdout stay closed until the reader says why they look. */
export function Rows({ project, version: v }: RowsProps) {
  const { where } = useSearch({ from: ROUTE });
  const first = useQuery(rowsQuery(project, v, 0));
  if (closed(first.error)) return <Closed project={project} at={v} />;
  return (
    <Section
      title="Rows"
      about={`${plural(v.rows, "row")}, in the order of the source`}
      // A query of a holdout wants a reason of its own, for which its page asks.
      actions={v.source !== "holdout" && <Where where={where} />}
      flush
    >
      {where && v.source !== "holdout" ? (
        <Found project={project} at={v} where={where} />
      ) : (
        <Loaded
          query={first}
          skeleton={<Waiting />}
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
                <p className={css.note}>
                  {plural(r.more, "column")} more are left out; select them with SQL.
                </p>
              )}
            </>
          )}
        </Loaded>
      )}
    </Section>
  );
}

function Waiting() {
  return (
    <div style={{ padding: 16 }}>
      <Lines n={14} height={22} />
    </div>
  );
}

interface FoundProps {
  project: string;
  at: Ref;
  where: string;
}

/** The first rows that a condition in SQL finds. */
function Found({ project, at, where }: FoundProps) {
  const sql = `select *\nfrom ${quoted(nameOf(at))}\nwhere\n${where}`;
  const found = useQuery(foundQuery(project, sql));
  if (found.isError)
    return (
      <div style={{ padding: 16 }}>
        <Wrong error={found.error} sql={sql} />
      </div>
    );
  return (
    <Loaded
      query={found}
      skeleton={<Waiting />}
      isEmpty={(r) => r.rows.length === 0}
      empty={<Empty title="No row fits">Take a part of the condition away.</Empty>}
    >
      {(r) => (
        <>
          <p className={css.note}>
            <span role="status">
              {r.cut
                ? `The first ${count(r.rows.length)} rows that fit`
                : `${plural(r.rows.length, "row")} fit`}
            </span>
            .{" "}
            <Link to="/p/$project/data/query" params={{ project }} search={{ sql }}>
              Go on in SQL
            </Link>
          </p>
          <RowGrid
            label={`Rows of ${nameOf(at)} that fit`}
            columns={r.columns}
            count={r.rows.length}
            row={(i) => cellsOf(r.rows[i])}
          />
        </>
      )}
    </Loaded>
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

/** As many rows as a browser can scroll through: it knows no longer pages. */
const REACH = 1_000_000;

/** The grid, which asks for the pages in sight. */
function Paged({ project, at, columns, total }: PagedProps) {
  const [begin, setBegin] = useState(0);
  const [range, setRange] = useState({ first: 0, last: 0 });
  const end = Math.min(begin + REACH, total);
  const from = Math.floor((begin + range.first) / ROWS);
  const to = Math.floor((begin + range.last) / ROWS);
  const pages = Array.from({ length: to - from + 1 }, (_, i) => from + i);
  const got = useQueries({ queries: pages.map((page) => rowsQuery(project, at, page)) });
  const failed = got.find((g) => failureOf(g) != null);
  const row = (i: number) => {
    const page = got[pages.indexOf(Math.floor((begin + i) / ROWS))]?.data;
    const values = page?.rows[(begin + i) % ROWS];
    return values === undefined ? undefined : cellsOf(values);
  };
  const go = (where: number) => {
    setRange({ first: 0, last: 0 });
    setBegin(where);
  };
  return (
    <>
      {failed && <Failed query={failed} />}
      <RowGrid
        key={begin}
        label={`Rows of ${nameOf(at)}`}
        columns={columns}
        count={end - begin}
        row={row}
        onRange={(first, last) => setRange({ first, last })}
      />
      {total > REACH && (
        <div className={css.note}>
          <Button variant="default" disabled={begin === 0} onClick={() => go(begin - REACH)}>
            Rows before
          </Button>{" "}
          <Button variant="default" disabled={end === total} onClick={() => go(end)}>
            Rows after
          </Button>{" "}
          <span role="status">
            {count(begin + 1)} to {count(end)} of {count(total)}
          </span>
        </div>
      )}
    </>
  );
}

/** A condition in SQL that rows must fit, which the address keeps. */
function Where({ where = "" }: { where?: string | undefined }) {
  const [{ of, text }, setDraft] = useState({ of: where, text: where });
  if (of !== where) setDraft({ of: where, text: where });
  const navigate = useNavigate({ from: ROUTE });
  const run = useMay("run");
  const go = () => {
    if (!run.may) return;
    const cond = text.trim();
    void navigate({ search: { tab: "rows", ...(cond && { where: cond }) }, replace: true });
  };
  return (
    <form
      className={css.bar}
      style={{ margin: 0 }}
      onSubmit={(e) => {
        e.preventDefault();
        go();
      }}
    >
      <TextInput
        aria-label="Condition in SQL"
        placeholder="hr between 7 and 9"
        type="search"
        leftSection={<Filter size={13} aria-hidden />}
        value={text}
        onChange={(e) => setDraft({ of, text: e.currentTarget.value })}
      />
      <GuardedButton variant="default" why={run.why} onClick={go}>
        Filter
      </GuardedButton>
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
