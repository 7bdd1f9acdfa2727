import { Button, TextInput } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { Download, Play, Square } from "lucide-react";
import { useEffect, useEffectEvent, useId, useRef, useState } from "react";
import { FirstRun } from "../../app/FirstRun";
import { Choice } from "../../components/Choice";
import { GuardedButton } from "../../components/GuardedButton";
import { Lines, Loaded } from "../../components/Loaded";
import { Page, Section } from "../../components/Page";
import { RowGrid } from "../../components/RowGrid";
import { saveFile } from "../../components/save";
import { Empty, Failure } from "../../components/State";
import { Problem } from "../../data/client";
import {
  boundsQuery,
  cellsOf,
  datasetsQuery,
  queryFile,
  runQuery,
  type Dataset,
  type QueryAnswer,
} from "../../data/datasets";
import { permissionsQuery, useMay } from "../../data/may";
import { count, duration, plural } from "../../format/number";
import css from "./data.module.css";
import { Editor } from "./editor";
import { LIMIT, LIMITS } from "./routes";
import { nameOf, quoted } from "./words";

const ROUTE = "/p/$project/data/query";
const FORMS = [
  ["csv", "CSV"],
  ["parquet", "Parquet"],
] as const;

/** SQL over the datasets of a project, and what it came to. */
export function Query() {
  const { project } = useParams({ from: ROUTE });
  const datasets = useQuery(datasetsQuery(project));
  return (
    <Page
      title="Query"
      crumbs={[
        <Link key="data" to="/p/$project/data" params={{ project }}>
          Data
        </Link>,
      ]}
      about="One SELECT in DuckDB’s SQL. It reads the datasets of this project and nothing else, and changes nothing."
    >
      <Loaded
        query={datasets}
        skeleton={
          <div className={css.query}>
            <Section title="Tables">
              <Lines n={6} height={20} />
            </Section>
            <Section title="SQL">
              <Lines n={6} height={20} />
            </Section>
          </div>
        }
        isEmpty={(page) => page.items.length === 0}
        empty={
          <Section title="Tables">
            <FirstRun title="There is no data to query yet">
              A run makes datasets of what fairlead.yaml names under <code>data:</code>.
            </FirstRun>
          </Section>
        }
      >
        {(page) => <Workbench project={project} datasets={page.items} />}
      </Loaded>
    </Page>
  );
}

/** What to begin with when nothing is written: something that runs. */
function example(datasets: readonly Dataset[]): string {
  const d = datasets.find((one) => one.source !== "holdout") ?? datasets[0];
  return d ? `select *\nfrom ${quoted(d.dataset)}\nlimit 100` : "";
}

function Workbench({ project, datasets }: { project: string; datasets: readonly Dataset[] }) {
  const search = useSearch({ from: ROUTE });
  const navigate = useNavigate({ from: ROUTE });
  const [sql, setSQL] = useState(search.sql ?? example(datasets));
  const { limit = LIMIT } = search;
  const [reason, setReason] = useState("");
  const [editor, setEditor] = useState<HTMLTextAreaElement | null>(null);
  const running = useRef<AbortController | undefined>(undefined);
  const allowed = useQuery(permissionsQuery(project)).data;
  const bounds = useQuery(boundsQuery(project)).data;
  const run = useMay("run");
  const keys = useId();

  const query = useMutation({
    mutationFn: (q: { sql: string; reason?: string }) => {
      running.current = new AbortController();
      return runQuery(project, { ...q, limit }, running.current.signal);
    },
  });
  const file = useMutation({
    mutationFn: async ({ form, ...q }: { form: "csv" | "parquet"; sql: string; reason?: string }) =>
      saveFile(`query.${form}`, await queryFile(project, form, { ...q, limit })),
  });
  // A reason is for the query that it was asked for, and for no other.
  const held = [query, file]
    .map((m) => (m.variables?.sql === sql ? heldIn(m.error) : undefined))
    .find((name) => name !== undefined);
  const question = { sql, ...(held !== undefined && { reason }) };
  const why = run.why || (held !== undefined && reason.trim() === "" ? "Say why you read it" : "");
  const go = () => {
    if (why || query.isPending || sql.trim() === "") return;
    void navigate({ search: (s) => ({ ...s, sql }), replace: true, resetScroll: false });
    file.reset();
    query.mutate(question);
  };
  // A link with a query in it shows its answer.
  const begin = useEffectEvent(() => {
    if (search.sql && run.may) query.mutate({ sql: search.sql });
  });
  const known = allowed !== undefined;
  useEffect(() => {
    if (known) begin();
    return () => running.current?.abort();
  }, [known]);

  const insert = (text: string) => {
    const [from, to] = [editor?.selectionStart ?? sql.length, editor?.selectionEnd ?? sql.length];
    setSQL(sql.slice(0, from) + text + sql.slice(to));
    editor?.focus();
  };
  return (
    <div className={css.query}>
      <Tables datasets={datasets} onInsert={insert} />
      <div className={css.stack}>
        <Section title="SQL">
          <Editor
            ref={setEditor}
            sql={sql}
            onChange={setSQL}
            onRun={go}
            tables={datasets.map((d) => ({ name: d.dataset, columns: d.columns }))}
            invalid={query.isError && held === undefined}
            describedBy={keys}
          />
          {held !== undefined && (
            <div className={css.locked} style={{ padding: "12px 0 0" }}>
              <p>
                <strong>{held} is a holdout.</strong> Each look at it is recorded with your name and
                your reason, before the query runs.
              </p>
              <TextInput
                label="Why do you read it?"
                value={reason}
                maxLength={500}
                autoFocus
                onChange={(e) => setReason(e.currentTarget.value)}
                onKeyDown={(e) => {
                  if (e.key === "Enter") go();
                }}
              />
            </div>
          )}
          <div className={css.bar}>
            {query.isPending ? (
              <Button
                variant="default"
                leftSection={<Square size={13} aria-hidden />}
                onClick={() => {
                  running.current?.abort();
                  query.reset();
                }}
              >
                Cancel
              </Button>
            ) : (
              <GuardedButton leftSection={<Play size={13} aria-hidden />} onClick={go} why={why}>
                {held === undefined ? "Run" : "Record it and run"}
              </GuardedButton>
            )}
            <Choice
              aria-label="Rows at most"
              data={LIMITS.map((n) => ({ value: String(n), label: plural(n, "row") }))}
              value={String(limit)}
              w={130}
              onChange={(n) => {
                const one = LIMITS.find((l) => String(l) === n) ?? LIMIT;
                void navigate({ search: (s) => ({ ...s, limit: one }), replace: true });
              }}
            />
            {FORMS.map(([form, name]) => (
              <GuardedButton
                key={form}
                variant="default"
                leftSection={<Download size={13} aria-hidden />}
                why={why}
                loading={file.isPending && file.variables.form === form}
                onClick={() => {
                  if (query.isError) query.reset();
                  file.mutate({ ...question, form });
                }}
              >
                All as {name}
              </GuardedButton>
            ))}
          </div>
          <p id={keys} className={css.why}>
            Ctrl+Enter runs, Ctrl+Space completes. Tab takes a completion; Esc puts them away, and
            Tab leads on.
            {bounds &&
              ` A query may take ${bounds.seconds} s and ${bounds.memory / 2 ** 20} MiB of memory.`}
            {!run.may && known && ` ${run.why}`}
          </p>
          {bounds && bounds.missing.length > 0 && (
            <p className={css.warn} role="note">
              This server’s system has no {bounds.missing.join(" and no ")}: queries are held by
              DuckDB’s own lock, and by nothing if that has a hole. Let only people run them whom
              you trust with the server’s files.
            </p>
          )}
          {file.isError && heldIn(file.error) === undefined && (
            <Wrong error={file.error} sql={file.variables.sql} />
          )}
        </Section>
        <Answer
          pending={query.isPending}
          error={heldIn(query.error) === undefined ? query.error : null}
          data={query.data}
          sql={query.variables?.sql ?? ""}
        />
      </div>
    </div>
  );
}

/** The holdout whose read wants a reason. */
function heldIn(err: unknown): string | undefined {
  if (!(err instanceof Problem)) return undefined;
  const name = err.extra["holdout"];
  return typeof name === "string" ? name : undefined;
}

interface TablesProps {
  datasets: readonly Dataset[];
  onInsert: (text: string) => void;
}

function Tables({ datasets, onInsert }: TablesProps) {
  return (
    <Section title="Tables" about="the newest versions" flush>
      <div className={css.tables}>
        {datasets.map((d, i) => (
          <details key={d.dataset} open={i === 0}>
            <summary>
              {d.dataset} <span className={css.kind}>{plural(d.rows, "row")}</span>
            </summary>
            <ul>
              <li>
                <button
                  type="button"
                  className={css.insert}
                  onClick={() => onInsert(quoted(d.dataset))}
                  aria-label={`Insert ${d.dataset}`}
                >
                  {quoted(d.dataset)}
                </button>
                <span className={css.kind}>newest, {d.n}</span>
              </li>
              {d.n > 1 && (
                <li>
                  <button
                    type="button"
                    className={css.insert}
                    onClick={() => onInsert(`"${nameOf({ dataset: d.dataset, n: d.n - 1 })}"`)}
                  >
                    {`"${nameOf({ dataset: d.dataset, n: d.n - 1 })}"`}
                  </button>
                  <span className={css.kind}>the one before</span>
                </li>
              )}
              {d.columns.map((c) => (
                <li key={c.name}>
                  <button
                    type="button"
                    className={css.insert}
                    onClick={() => onInsert(quoted(c.name))}
                    aria-label={`Insert ${c.name} of ${d.dataset}`}
                  >
                    {c.name}
                  </button>
                  <span className={css.kind}>{c.type}</span>
                </li>
              ))}
            </ul>
          </details>
        ))}
      </div>
    </Section>
  );
}

interface AnswerProps {
  pending: boolean;
  error: Error | null;
  data: QueryAnswer | undefined;
  sql: string;
}

function Answer({ pending, error, data, sql }: AnswerProps) {
  if (pending)
    return (
      <Section title="Answer" about="running">
        <div role="status" aria-label="Loading" aria-busy="true">
          <Lines n={8} height={20} />
        </div>
      </Section>
    );
  if (error && error.name !== "AbortError")
    return (
      <Section title="Answer">
        <Wrong error={error} sql={sql} />
      </Section>
    );
  if (!data) return null;
  return (
    <Section
      title="Answer"
      about={
        <span role="status">
          {plural(data.rows.length, "row")} in {duration(data.elapsed_ms)}
          {data.cut === "rows" && "; there are more: raise the limit, or take all as a file"}
          {data.cut === "bytes" && "; there are more than fit: select less, or take all as a file"}
          {data.cut_cells
            ? `; ${plural(data.cut_cells, "long text is", "long texts are")} cut`
            : ""}
        </span>
      }
      actions={<span className={css.keys}>{data.tables.map((t) => nameOf(t)).join(", ")}</span>}
      flush
    >
      {data.rows.length === 0 ? (
        <Empty title="No row fits">The query ran, and its answer is empty.</Empty>
      ) : (
        <RowGrid
          label="Answer"
          columns={data.columns}
          count={data.rows.length}
          row={(i) => cellsOf(data.rows[i])}
        />
      )}
    </Section>
  );
}

/** What is wrong with a query, and the place in it. */
export function Wrong({ error, sql }: { error: Error; sql: string }) {
  const extra = error instanceof Problem ? error.extra : {};
  const [line, column] = [Number(extra["line"] ?? 0), Number(extra["column"] ?? 0)];
  const text = sql.split("\n")[line - 1];
  return (
    <div>
      <Failure error={error} title="The query did not run" />
      {line > 0 && text !== undefined && (
        <pre
          className={css.where}
          tabIndex={0}
          aria-label={`Line ${count(line)}, column ${count(column)}`}
        >
          {`line ${line}: ${text}\n${" ".repeat(`line ${line}: `.length + Math.max(0, column - 1))}^`}
        </pre>
      )}
    </div>
  );
}
