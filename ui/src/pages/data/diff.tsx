import { Switch } from "@mantine/core";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { Bars } from "../../charts/Bars";
import { Figure } from "../../charts/Figure";
import { Choice } from "../../components/Choice";
import { StatusBadge, type Tone } from "../../components/Badge";
import { DataTable, type Column } from "../../components/DataTable";
import { Lines, Loaded } from "../../components/Loaded";
import { Page, Section } from "../../components/Page";
import { Stat, Stats } from "../../components/Stat";
import { Empty } from "../../components/State";
import {
  datasetsQuery,
  diffQuery,
  versionsQuery,
  type ColumnDiff,
  type ColumnProfile,
  type DatasetDiff,
  type DatasetVersion,
  type Ref,
  type Shape,
} from "../../data/datasets";
import { count, percent, plural, value } from "../../format/number";
import css from "./data.module.css";
import { besides, fitting, micros, nameOf, rangeOf, readRef } from "./words";

const ROUTE = "/p/$project/data/$dataset/$version/diff";

/** What is different between two versions of a dataset. */
export function DiffPage() {
  const { project, dataset, version } = useParams({ from: ROUTE });
  const search = useSearch({ from: ROUTE });
  const to = { dataset, n: Number(version) };
  const versions = useInfiniteQuery(versionsQuery(project, dataset));
  const all = versions.data?.pages.flatMap((p) => p.items) ?? [];
  const other = versions.data && besides(to.n, all);
  const from = search.from ?? (other && String(other.n));
  return (
    <Page
      title={`${dataset}: ${from ? short(from, dataset) : "…"} → ${version}`}
      crumbs={[
        <Link key="data" to="/p/$project/data" params={{ project }}>
          Data
        </Link>,
        <Link key="dataset" to="/p/$project/data/$dataset" params={{ project, dataset }}>
          {dataset}
        </Link>,
        <Link
          key="version"
          to="/p/$project/data/$dataset/$version"
          params={{ project, dataset, version }}
        >
          {version}
        </Link>,
      ]}
      about="What is different in the second version from the first, of the same dataset or another"
      actions={<Choose project={project} to={to} from={from ?? ""} all={all} />}
    >
      {from === undefined ? (
        <Loaded query={versions} skeleton={<Waiting />}>
          {() => (
            <Section title="Comparison">
              <Empty title="There is no other version to compare with" command="fairlead run">
                The next run, or the next case of a model, may make one. Above, another dataset can
                be chosen.
              </Empty>
            </Section>
          )}
        </Loaded>
      ) : (
        <Compared project={project} to={to} from={from} />
      )}
    </Page>
  );
}

function short(from: string, dataset: string): string {
  return from.startsWith(`${dataset}/`) ? from.slice(dataset.length + 1) : from;
}

function Waiting() {
  return (
    <Section title="Rows">
      <Lines n={8} height={24} />
    </Section>
  );
}

/** Versions to choose from, the one that is shown among them. */
function known(versions: readonly DatasetVersion[], shown: string) {
  const options = versions.map((v) => ({
    value: String(v.n),
    label: `${v.n} (${v.source}, ${count(v.rows)} rows)`,
  }));
  return options.some((o) => o.value === shown) || shown === ""
    ? options
    : [{ value: shown, label: shown }, ...options];
}

interface ChooseProps {
  project: string;
  to: Ref;
  from: string;
  all: DatasetVersion[];
}

function Choose({ project, to, from, all }: ChooseProps) {
  const navigate = useNavigate({ from: ROUTE });
  const before = readRef(from, to.dataset);
  const another = before.dataset !== to.dataset;
  const datasets = useQuery(datasetsQuery(project));
  const versions = useInfiniteQuery(versionsQuery(project, before.dataset));
  const theirs = another ? (versions.data?.pages.flatMap((p) => p.items) ?? []) : all;
  const others = fitting(to.dataset, datasets.data?.items ?? []);
  return (
    <div className={css.filters}>
      <Choice
        label="From dataset"
        w={200}
        data={[
          { value: to.dataset, label: `${to.dataset} (the same)` },
          ...others.map((d) => ({
            value: d.dataset,
            label: `${d.dataset} (${plural(d.shared, "column")} shared)`,
          })),
        ]}
        value={before.dataset}
        onChange={(name) => {
          const d = others.find((o) => o.dataset === name);
          // The key and the column that are chosen may not be there.
          void navigate({
            search: ({ all }) => ({
              ...(d && { from: `${d.dataset}/${d.n}` }),
              ...(all && { all }),
            }),
          });
        }}
      />
      <Choice
        label="From version"
        w={230}
        data={known(theirs, before.n)}
        value={before.n || null}
        onChange={(n) =>
          n &&
          void navigate({
            search: (s) => ({ ...s, from: another ? `${before.dataset}/${n}` : n }),
          })
        }
      />
      <Choice
        label="To version"
        w={230}
        data={known(all, String(to.n))}
        value={String(to.n)}
        onChange={(n) =>
          n &&
          void navigate({ params: (p) => ({ ...p, version: n }), search: (s) => ({ ...s, from }) })
        }
      />
    </div>
  );
}

function Compared({ project, to, from }: { project: string; to: Ref; from: string }) {
  const search = useSearch({ from: ROUTE });
  const before = readRef(from, to.dataset);
  const two = `${nameOf(to)} ${before.dataset}/${before.n}`;
  const diff = useQuery({
    ...diffQuery(project, to, from, search.key ?? ""),
    // Of the same two by another key, what was there stays until that has come.
    placeholderData: (was: DatasetDiff | undefined) =>
      was && `${nameOf(was.to)} ${nameOf(was.from)}` === two ? was : undefined,
  });
  return (
    <Loaded query={diff} skeleton={<Waiting />}>
      {(d) => (
        <>
          <RowsDiff diff={d} />
          <Columns diff={d} />
          {d.rows && d.rows.examples.length > 0 && <Examples diff={d.rows} />}
        </>
      )}
    </Loaded>
  );
}

function RowsDiff({ diff: d }: { diff: DatasetDiff }) {
  const navigate = useNavigate({ from: ROUTE });
  const search = useSearch({ from: ROUTE });
  const shared = d.columns.filter((c) => c.from && c.to).map((c) => c.name);
  const change = d.to.rows - d.from.rows;
  return (
    <Section
      title="Rows"
      about={d.rows ? `compared by ${d.rows.key}` : undefined}
      actions={
        !d.closed && (
          <Choice
            aria-label="Key that rows are compared by"
            placeholder="Key"
            data={shared}
            clearable={search.key !== undefined}
            value={search.key ?? d.rows?.key ?? null}
            onChange={(key) =>
              void navigate({
                search: (s) => {
                  const next = { ...s };
                  delete next.key;
                  return key ? { ...next, key } : next;
                },
                replace: true,
              })
            }
          />
        )
      }
    >
      <Stats>
        <Stat label="Before" value={count(d.from.rows)} />
        <Stat
          label="After"
          value={count(d.to.rows)}
          note={
            change === 0 ? "as many" : `${change > 0 ? "+" : "−"}${count(Math.abs(change))} rows`
          }
        />
        {d.rows && (
          <>
            <Stat label="Added" value={count(d.rows.added)} />
            <Stat label="Removed" value={count(d.rows.removed)} />
            <Stat label="Changed" value={count(d.rows.changed)} />
            <Stat label="The same" value={count(d.rows.unchanged)} />
          </>
        )}
      </Stats>
      {d.no_rows && (
        <p className={css.why}>
          Rows are not compared: {d.no_rows}.
          {d.closed && " Do so on the page of its rows; profiles are compared meanwhile."}
        </p>
      )}
    </Section>
  );
}

/** Some rows of each kind: what changed in them, or their keys. */
function Examples({ diff }: { diff: NonNullable<DatasetDiff["rows"]> }) {
  const changed = diff.examples.filter((e) => e.kind === "changed");
  const keys = (kind: string) => diff.examples.filter((e) => e.kind === kind).map((e) => e.key);
  return (
    <Section title="Rows that differ" about={`some of each kind, by ${diff.key}`}>
      <div className={css.differ}>
        {changed.length > 0 && (
          <DataTable
            label="Rows that changed"
            rows={changed}
            rowKey={(e) => e.key}
            columns={[
              { id: "key", head: diff.key, cell: (e) => <code>{e.key}</code>, sort: (e) => e.key },
              { id: "cells", head: "What changed", cell: (e) => <Cells cells={e.cells ?? []} /> },
            ]}
          />
        )}
        <Keys title="Added" of={diff.added} keys={keys("added")} />
        <Keys title="Removed" of={diff.removed} keys={keys("removed")} />
      </div>
    </Section>
  );
}

type Cell = NonNullable<NonNullable<DatasetDiff["rows"]>["examples"][number]["cells"]>[number];

function Cells({ cells }: { cells: Cell[] }) {
  return (
    <span className={css.pair}>
      {cells.map((c) => (
        <span key={c.column}>
          {c.column}: <del className={css.was}>{c.from ?? "missing"}</del>{" "}
          <ins className={css.is}>{c.to ?? "missing"}</ins>
        </span>
      ))}
    </span>
  );
}

function Keys({ title, of, keys }: { title: string; of: number; keys: string[] }) {
  if (keys.length === 0) return null;
  return (
    <div className={css.pair}>
      <strong>{title}</strong>
      {keys.map((key) => (
        <code key={key}>{key}</code>
      ))}
      {of > keys.length && <span>and {count(of - keys.length)} more</span>}
    </div>
  );
}

/** How much a column has changed, for the order: structure first, then its distribution. */
function weight(c: ColumnDiff): number {
  if (c.state !== "same") return Infinity;
  const s = c.shape;
  if (s?.psi !== undefined) return s.psi;
  return s ? shareOf(s.new) + shareOf(s.lost) : 0;
}

const shareOf = (v: Shape["new"]) => v.rows;

/** Whether the distribution is another one, by more than chance and by more than a little. */
function verdict(c: ColumnDiff): { label: string; tone: Tone } | undefined {
  if (c.state === "added") return { label: "added", tone: "good" };
  if (c.state === "removed") return { label: "removed", tone: "bad" };
  if (c.state === "retyped") return { label: "retyped", tone: "bad" };
  const s = c.shape;
  if (s?.psi === undefined) return undefined;
  if (s.psi <= (s.by_chance ?? 0)) return { label: "as before", tone: "none" };
  return s.psi > 0.2
    ? { label: "shifted", tone: "warn" }
    : { label: "shifted a little", tone: "info" };
}

function differs(c: ColumnDiff): boolean {
  const v = verdict(c);
  return (
    (v !== undefined && v.tone !== "none") ||
    c.from?.nulls !== c.to?.nulls ||
    (c.shape?.new.distinct ?? 0) + (c.shape?.lost.distinct ?? 0) > 0
  );
}

function Columns({ diff: d }: { diff: DatasetDiff }) {
  const search = useSearch({ from: ROUTE });
  const navigate = useNavigate({ from: ROUTE });
  const changed = d.columns.filter(differs);
  const without = d.closed
    ? 0
    : d.columns.filter((c) => c.state === "same" && !c.shape && c.from?.count && c.to?.count)
        .length;
  const rows = [...(search.all ? d.columns : changed)].sort((a, b) => weight(b) - weight(a));
  const chosen = d.columns.find((c) => c.name === search.column);
  return (
    <>
      {chosen && <Detail column={chosen} diff={d} />}
      <Section
        title="Columns"
        about={`${plural(changed.length, "column differs", "columns differ")} of ${d.columns.length}${
          d.sampled ? `; distributions of the last ${count(d.sampled)} rows` : ""
        }${without ? `; ${plural(without, "distribution")} not counted: they were too many` : ""}`}
        actions={
          <Switch
            label="Also those that are alike"
            checked={search.all ?? false}
            onChange={(e) => {
              const all = e.currentTarget.checked;
              void navigate({
                search: (s) => {
                  const next = { ...s };
                  delete next.all;
                  return all ? { ...next, all } : next;
                },
                replace: true,
              });
            }}
          />
        }
        flush
      >
        {rows.length === 0 ? (
          <Empty title="All columns are alike">
            {d.closed ? "So far as their profiles tell." : "In their types and distributions."}
          </Empty>
        ) : (
          <DataTable
            label="Columns that differ"
            columns={columns(d)}
            rows={rows}
            rowKey={(c) => c.name}
            {...(chosen && { current: chosen.name })}
          />
        )}
      </Section>
    </>
  );
}

function missingShare(p: ColumnProfile | undefined): number | undefined {
  const all = p ? p.nulls + p.count : 0;
  return p && all > 0 ? p.nulls / all : undefined;
}

/** "2 % → 3 %", or one of them when nothing changed. */
function moved(from: string, to: string): string {
  return from === to ? to : `${from} → ${to}`;
}

function columns(d: DatasetDiff): Column<ColumnDiff>[] {
  return [
    {
      id: "name",
      head: "Column",
      sort: (c) => c.name,
      cell: (c) => (
        <Link from={ROUTE} to="." search={(s) => ({ ...s, column: c.name })} resetScroll={false}>
          {c.name}
        </Link>
      ),
    },
    {
      id: "verdict",
      head: "Change",
      sort: weight,
      cell: (c) => {
        const v = verdict(c);
        return v ? <StatusBadge state={v.label} tone={v.tone} /> : "–";
      },
    },
    {
      id: "type",
      head: "Type",
      minor: true,
      cell: (c) => moved(c.from?.type ?? c.to?.type ?? "", c.to?.type ?? c.from?.type ?? ""),
      sort: (c) => c.to?.type,
    },
    {
      id: "missing",
      head: "Missing",
      numeric: true,
      minor: true,
      cell: (c) => moved(percent(missingShare(c.from), 2), percent(missingShare(c.to), 2)),
      sort: (c) => missingShare(c.to),
    },
    {
      id: "psi",
      head: "PSI",
      numeric: true,
      cell: (c) => (c.shape?.psi === undefined ? "–" : value(c.shape.psi, 3)),
      sort: (c) => c.shape?.psi,
    },
    {
      id: "shape",
      head: "Distribution",
      cell: (c) => (
        <div className={css.small}>
          {c.shape && c.shape.to.length > 0 && (
            <Bars values={c.shape.to} before={c.shape.from} height={24} />
          )}
        </div>
      ),
    },
    {
      id: "new",
      head: "New values",
      numeric: true,
      minor: true,
      cell: (c) => (c.shape?.names ? count(c.shape.new.distinct) : "–"),
      sort: (c) => c.shape?.new.distinct,
    },
    {
      id: "lost",
      head: "Lost values",
      numeric: true,
      minor: true,
      cell: (c) => (c.shape?.names ? count(c.shape.lost.distinct) : "–"),
      sort: (c) => c.shape?.lost.distinct,
    },
    ...(d.rows
      ? [
          {
            id: "changed",
            head: "Rows changed",
            numeric: true,
            minor: true,
            cell: (c: ColumnDiff) => count(d.rows?.by_column[c.name] ?? 0),
            sort: (c: ColumnDiff) => d.rows?.by_column[c.name] ?? 0,
          },
        ]
      : []),
  ];
}

/** One column in both versions, large. */
function Detail({ column: c, diff: d }: { column: ColumnDiff; diff: DatasetDiff }) {
  const s = c.shape;
  return (
    <Section
      title={c.name}
      about={
        s?.psi !== undefined &&
        `PSI ${value(s.psi, 3)}; chance alone exceeds ${value(s.by_chance, 2)} once in a hundred times`
      }
    >
      <div className={css.detail}>
        {s && s.to.length > 0 ? (
          <Overlay column={c.name} shape={s} diff={d} time={c.to?.type === "datetime"} />
        ) : (
          <p className={css.none}>
            {d.closed
              ? "A holdout's distributions stay closed."
              : "There are no distributions to compare."}
          </p>
        )}
        <Numbers column={c} diff={d} />
      </div>
      {s?.names && <Values shape={s} />}
    </Section>
  );
}

interface OverlayProps {
  column: string;
  shape: Shape;
  diff: DatasetDiff;
  time: boolean;
}

function Overlay({ column, shape: s, diff: d, time }: OverlayProps) {
  const write = (x: number | undefined) =>
    x === undefined ? "" : time ? micros(x, true) : value(x);
  const edges = s.edges ?? [];
  const parts = s.to.map((_, i) => s.names?.[i] ?? `${write(edges[i])} to ${write(edges[i + 1])}`);
  const sum = (v: number[]) =>
    Math.max(
      1,
      v.reduce((a, b) => a + b, 0),
    );
  const [all, before] = [sum(s.to), sum(s.from)];
  return (
    <Figure
      title="Distribution"
      describe={`Shares of the values of ${column} in ${s.to.length} parts, in ${nameOf(d.from)} and ${nameOf(d.to)}`}
      table={() => (
        <DataTable
          label={`Distribution of ${column}`}
          rows={parts.map((part, i) => ({ part, i }))}
          rowKey={(r) => String(r.i)}
          columns={[
            { id: "part", head: "Values", cell: (r) => r.part || "(empty)" },
            {
              id: "from",
              head: nameOf(d.from),
              numeric: true,
              cell: (r) => percent((s.from[r.i] ?? 0) / before, 2),
            },
            {
              id: "to",
              head: nameOf(d.to),
              numeric: true,
              cell: (r) => percent((s.to[r.i] ?? 0) / all, 2),
            },
          ]}
        />
      )}
    >
      <div className={css.legend}>
        <span className={css.then}>{nameOf(d.from)}, a line</span>
        <span className={css.now}>{nameOf(d.to)}, filled</span>
      </div>
      <Bars values={s.to} before={s.from} height={150} />
      <div className={css.axis}>
        <span>{s.names ? (parts[0] ?? "") : write(edges[0])}</span>
        <span>{s.names ? (parts[parts.length - 1] ?? "") : write(edges[edges.length - 1])}</span>
      </div>
    </Figure>
  );
}

function Numbers({ column: c, diff: d }: { column: ColumnDiff; diff: DatasetDiff }) {
  const line = (name: string, of: (p: ColumnProfile) => string) => ({
    name,
    from: c.from ? of(c.from) : "–",
    to: c.to ? of(c.to) : "–",
  });
  const number =
    (of: (n: NonNullable<ColumnProfile["numbers"]>) => number | undefined) => (p: ColumnProfile) =>
      p.numbers ? value(of(p.numbers)) : "–";
  const lines = [
    line("Type", (p) => p.type),
    line("Values", (p) => count(p.count)),
    line("Missing", (p) => percent(missingShare(p), 2)),
    line("Distinct", (p) => count(p.distinct)),
    ...(c.from?.numbers || c.to?.numbers
      ? [
          line(
            "Mean",
            number((n) => n.mean),
          ),
          line(
            "Standard deviation",
            number((n) => n.std_dev),
          ),
          line(
            "Median",
            number((n) => n.quantiles[2]),
          ),
          line(
            "5 %",
            number((n) => n.quantiles[0]),
          ),
          line(
            "95 %",
            number((n) => n.quantiles[4]),
          ),
        ]
      : []),
    line(c.to?.top ? "Commonest" : "Range", rangeOf),
  ];
  return (
    <DataTable
      label={`Figures of ${c.name}`}
      rows={lines}
      rowKey={(l) => l.name}
      columns={[
        { id: "name", head: "Figure", cell: (l) => l.name },
        { id: "from", head: nameOf(d.from), numeric: true, cell: (l) => l.from },
        { id: "to", head: nameOf(d.to), numeric: true, cell: (l) => l.to },
      ]}
    />
  );
}

function Values({ shape }: { shape: Shape }) {
  const sides: [string, Shape["new"]][] = [
    ["New", shape.new],
    ["Lost", shape.lost],
  ];
  return (
    <div style={{ marginTop: 12, display: "grid", gap: 6 }}>
      {sides.map(([name, v]) => (
        <div key={name} className={css.pair}>
          <strong>{name}</strong>
          <span>
            {v.distinct === 0
              ? "no values"
              : `${plural(v.distinct, "value")} in ${plural(v.rows, "row")}: ${v.top
                  .slice(0, 8)
                  .map((t) => t.value || "(empty)")
                  .join(", ")}${v.distinct > 8 ? ", …" : ""}`}
          </span>
        </div>
      ))}
    </div>
  );
}
