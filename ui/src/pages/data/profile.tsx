import { Link } from "@tanstack/react-router";
import { Bars } from "../../charts/Bars";
import { Figure } from "../../charts/Figure";
import { DataTable, type Column } from "../../components/DataTable";
import { Section } from "../../components/Page";
import { Facts } from "../../components/Stat";
import type { ColumnProfile, DatasetVersion } from "../../data/datasets";
import { count, percent, value } from "../../format/number";
import css from "./data.module.css";
import { micros, missingOf, moment, nameOf, rangeOf, rolesOf } from "./words";

interface ProfileProps {
  project: string;
  version: DatasetVersion;
  /** The column that is shown in detail. */
  column?: string | undefined;
}

/** The columns of a version with their values at a glance, and one of them in detail. */
export function Profile({ project, version, column }: ProfileProps) {
  const profile = version.profile ?? [];
  const chosen = profile.find((p) => p.name === column);
  return (
    <>
      {chosen && <Detail profile={chosen} version={version} />}
      <Section
        title="Columns"
        about="Distinct counts are estimates (mostly within 10 %); the rest is exact, and times are UTC. Choose a column for its detail."
        flush
      >
        <DataTable
          label={`Columns of ${nameOf(version)}`}
          columns={columns(project, version)}
          rows={profile}
          rowKey={(p) => p.name}
          {...(chosen && { current: chosen.name })}
        />
      </Section>
      <Expected version={version} />
    </>
  );
}

function columns(project: string, v: DatasetVersion): Column<ColumnProfile>[] {
  return [
    {
      id: "name",
      head: "Column",
      sort: (p) => p.name,
      cell: (p) => (
        <span className={css.column}>
          <Link
            to="/p/$project/data/$dataset/$version"
            params={{ project, dataset: v.dataset, version: String(v.n) }}
            search={{ column: p.name }}
            resetScroll={false}
          >
            {p.name}
          </Link>
          {rolesOf(v, p.name).map((role) => (
            <span key={role} className={css.role}>
              {role}
            </span>
          ))}
        </span>
      ),
    },
    { id: "type", head: "Type", sort: (p) => p.type, cell: (p) => p.type },
    {
      id: "missing",
      head: "Missing",
      numeric: true,
      sort: (p) => p.nulls,
      cell: (p) => (p.nulls === 0 ? "0" : percent(p.nulls / (p.nulls + p.count), 2)),
    },
    {
      id: "distinct",
      head: "Distinct",
      numeric: true,
      minor: true,
      sort: (p) => p.distinct,
      cell: (p) => count(p.distinct),
    },
    {
      id: "values",
      head: "Distribution",
      cell: (p) => (
        <div className={css.small}>
          {barsOf(p) ? <Bars values={barsOf(p) ?? []} height={24} /> : null}
        </div>
      ),
    },
    {
      id: "min",
      head: "Least",
      numeric: true,
      minor: true,
      sort: (p) => p.numbers?.min,
      cell: (p) => (p.numbers ? value(p.numbers.min) : p.times ? moment(p.times.min) : ""),
    },
    {
      id: "median",
      head: "Median",
      numeric: true,
      minor: true,
      sort: (p) => p.numbers?.quantiles[2],
      cell: (p) => (p.numbers ? value(p.numbers.quantiles[2]) : ""),
    },
    {
      id: "max",
      head: "Greatest",
      numeric: true,
      minor: true,
      sort: (p) => p.numbers?.max,
      cell: (p) => (p.numbers ? value(p.numbers.max) : p.times ? moment(p.times.max) : ""),
    },
    {
      id: "top",
      head: "Commonest",
      minor: true,
      cell: (p) => (p.top?.length ? <span className={css.top}>{rangeOf(p)}</span> : ""),
    },
  ];
}

/** How many values are in each part: of numbers and times, or of the commonest texts. */
function barsOf(p: ColumnProfile): number[] | undefined {
  const top = p.top?.some((t) => t.count > 1) ? p.top.map((t) => t.count) : undefined;
  return p.numbers?.bars ?? p.times?.bars ?? top;
}

/** One column, large. */
function Detail({ profile: p, version }: { profile: ColumnProfile; version: DatasetVersion }) {
  const roles = rolesOf(version, p.name);
  return (
    <Section title={p.name} about={[p.type, ...roles].join(", ")}>
      <div className={css.detail}>
        <Distribution profile={p} />
        <Facts items={facts(p)} />
      </div>
    </Section>
  );
}

function facts(p: ColumnProfile): [string, string][] {
  const out: [string, string][] = [
    ["Present", count(p.count)],
    ["Missing", missingOf(p)],
    ["Distinct", `about ${count(p.distinct)}`],
  ];
  if (p.numbers) {
    const q = p.numbers.quantiles;
    out.push(
      ["Mean", value(p.numbers.mean)],
      ["Standard deviation", value(p.numbers.std_dev)],
      ["Least", value(p.numbers.min)],
      ["5 %, 25 %", `${value(q[0])}, ${value(q[1])}`],
      ["Median", value(q[2])],
      ["75 %, 95 %", `${value(q[3])}, ${value(q[4])}`],
      ["Greatest", value(p.numbers.max)],
    );
  }
  if (p.times)
    out.push(["Oldest (UTC)", moment(p.times.min)], ["Newest (UTC)", moment(p.times.max)]);
  return out;
}

/** The ends of the parts of a column's range. */
function partsOf(p: ColumnProfile, n: number): string[] {
  const [low, high] = p.numbers
    ? [p.numbers.min, p.numbers.max]
    : [Date.parse(p.times?.min ?? "") * 1000, Date.parse(p.times?.max ?? "") * 1000];
  const write = (x: number) => (p.numbers ? value(x) : micros(x, true));
  return Array.from({ length: n + 1 }, (_, i) => write(low + ((high - low) * i) / n));
}

function Distribution({ profile: p }: { profile: ColumnProfile }) {
  const bars = barsOf(p);
  if (!bars)
    return (
      <p className={css.none}>
        {p.count === 0
          ? "The column has no values."
          : p.numbers || p.times
            ? "There is one value, or the profile is from before profiles had bars."
            : "Each value is there once."}
      </p>
    );
  if (p.top) return <Commonest profile={p} />;
  const ends = partsOf(p, bars.length);
  return (
    <Figure
      title="Distribution"
      describe={`${count(p.count)} values of ${p.name} in ${bars.length} parts from ${ends[0] ?? ""} to ${ends[bars.length] ?? ""}`}
      table={() => (
        <DataTable
          label={`Distribution of ${p.name}`}
          rows={bars.map((n, i) => ({ n, from: ends[i] ?? "", to: ends[i + 1] ?? "" }))}
          rowKey={(r) => `${r.from} ${r.to}`}
          columns={[
            { id: "from", head: "From", numeric: true, cell: (r) => r.from },
            { id: "to", head: "To", numeric: true, cell: (r) => r.to },
            { id: "n", head: "Values", numeric: true, cell: (r) => count(r.n), sort: (r) => r.n },
          ]}
        />
      )}
    >
      <Bars values={bars} height={140} />
      <div className={css.axis}>
        <span>{ends[0]}</span>
        <span>{ends[Math.floor(bars.length / 2)]}</span>
        <span>{ends[bars.length]}</span>
      </div>
    </Figure>
  );
}

/** The commonest texts, as bars that are read like a table. */
function Commonest({ profile: p }: { profile: ColumnProfile }) {
  const top = p.top ?? [];
  const most = Math.max(1, ...top.map((t) => t.count));
  return (
    <table className={css.common}>
      <caption>Commonest values</caption>
      <tbody>
        {top.map((t) => (
          <tr key={t.value}>
            <th scope="row">{t.value || "(empty)"}</th>
            <td className={css.track}>
              <div className={css.fill} style={{ width: `${(t.count / most) * 100}%` }} />
            </td>
            <td className={css.count}>{count(t.count)}</td>
            <td className={css.count}>{percent(t.count / Math.max(1, p.count), 2)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** What was expected of the rows when they came. */
function Expected({ version }: { version: DatasetVersion }) {
  const expect = version.expect ?? [];
  if (expect.length === 0) return null;
  return (
    <Section
      title="Expectations"
      about="All of them hold: a version that breaks one is not made."
      flush
    >
      <DataTable
        label="What was expected"
        rows={expect}
        rowKey={(e) => e.column}
        columns={[
          { id: "column", head: "Column", cell: (e) => e.column, sort: (e) => e.column },
          { id: "type", head: "Type", cell: (e) => e.type ?? "any" },
          {
            id: "required",
            head: "Value",
            cell: (e) => (e.required ? "in each row" : "may be missing"),
          },
          {
            id: "range",
            head: "Range",
            cell: (e) =>
              e.min === undefined && e.max === undefined
                ? "any"
                : `${e.min === undefined ? "" : `from ${value(e.min)} `}${e.max === undefined ? "" : `to ${value(e.max)}`}`,
          },
          {
            id: "values",
            head: "One of",
            cell: (e) => (e.values?.length ? e.values.map(String).join(", ") : "any"),
          },
        ]}
      />
    </Section>
  );
}
