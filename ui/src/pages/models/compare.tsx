import { Checkbox, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { ChangeEvent } from "react";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { DataTable, type Column } from "../../components/DataTable";
import { VersionLink } from "../../components/links";
import { Lines, Loaded } from "../../components/Loaded";
import { Page, Section } from "../../components/Page";
import { Empty } from "../../components/State";
import { factsQuery, type Facts } from "../../data/models";
import { UNKNOWN } from "../../format/number";
import { absolute } from "../../format/time";
import { judgedMetrics, paramsOf, runMetrics } from "./Tables";
import css from "./models.module.css";
import { madeBy } from "./words";

/** Two versions of a model side by side: what differs in what was measured, set and read. */
export function ComparePage() {
  const { project, model } = useParams({ from: "/p/$project/models/$model/compare" });
  const { a, b, all } = useSearch({ from: "/p/$project/models/$model/compare" });
  const navigate = useNavigate({ from: "/p/$project/models/$model/compare" });
  const choose = (side: "a" | "b") => (e: ChangeEvent<HTMLInputElement>) => {
    const version = Number(e.currentTarget.value);
    if (Number.isInteger(version) && version > 0)
      void navigate({ search: (was) => ({ ...was, [side]: version }), replace: true });
  };
  return (
    <Page
      title={`Compare versions of ${model}`}
      crumbs={[
        <Link key="models" from="/p/$project" to="/p/$project/models">
          Models
        </Link>,
        <Link key="model" from="/p/$project" to="/p/$project/models/$model" params={{ model }}>
          {model}
        </Link>,
      ]}
    >
      <Section
        title="Which two"
        actions={[a, b].map(
          (n) => n !== undefined && <VersionLink key={n} model={model} version={n} />,
        )}
      >
        <div className={css.row}>
          {(["a", "b"] as const).map((side) => (
            <TextInput
              key={side}
              type="number"
              label={side === "a" ? "Version" : "Beside version"}
              min={1}
              w={110}
              defaultValue={side === "a" ? a : b}
              onChange={choose(side)}
            />
          ))}
          <Checkbox
            label="Show what is the same too"
            checked={all === true}
            onChange={(e) => {
              const on = e.currentTarget.checked;
              void navigate({
                search: (was) => ({
                  ...(was.a && { a: was.a }),
                  ...(was.b && { b: was.b }),
                  ...(on && { all: true as const }),
                }),
                replace: true,
              });
            }}
          />
        </div>
      </Section>
      {a === undefined || b === undefined ? (
        <Empty title="Choose two versions">Their numbers are in the model&apos;s table.</Empty>
      ) : (
        <Pair project={project} model={model} a={a} b={b} all={all === true} />
      )}
    </Page>
  );
}

interface PairProps {
  project: string;
  model: string;
  a: number;
  b: number;
  all: boolean;
}

function Pair({ project, model, a, b, all }: PairProps) {
  const first = useQuery(factsQuery(project, model, a));
  const second = useQuery(factsQuery(project, model, b));
  const skeleton = (
    <Section title="Differences">
      <Lines n={8} height={22} />
    </Section>
  );
  return (
    <Loaded query={first} skeleton={skeleton}>
      {(x) => (
        <Loaded query={second} skeleton={skeleton}>
          {(y) => <Parts a={x} b={y} all={all} />}
        </Loaded>
      )}
    </Loaded>
  );
}

/** One thing that both versions may have. */
export interface Line {
  name: string;
  a: string | undefined;
  b: string | undefined;
}

interface PartOf {
  title: string;
  lines: Line[];
  numeric?: boolean;
}

/** What differs, part by part; what does not is named at the end. */
function Parts({ a, b, all }: { a: Facts; b: Facts; all: boolean }) {
  const some = parts(a, b).filter((p) => p.lines.length > 0);
  const differs = (p: PartOf) => p.lines.some((l) => l.a !== l.b);
  const same = some.filter((p) => !differs(p)).map((p) => p.title);
  return (
    <>
      {some
        .filter((p) => all || differs(p))
        .map((p) => (
          <Part key={p.title} {...p} a={a} b={b} all={all} />
        ))}
      {!all && same.length > 0 && <p className={css.none}>The same in both: {same.join(", ")}.</p>}
    </>
  );
}

function Part(props: PartOf & { a: Facts; b: Facts; all: boolean }) {
  const other = props.lines.filter((l) => l.a !== l.b);
  const side = (key: "a" | "b"): Column<Line> => ({
    id: key,
    head: `version ${props[key].version.n}`,
    ...(props.numeric ? { numeric: true } : {}),
    cell: (l) => <span className={l.a === l.b ? "" : css.changed}>{l[key] ?? UNKNOWN}</span>,
  });
  const columns: Column<Line>[] = [
    { id: "name", head: "Name", sort: (l) => l.name, cell: (l) => l.name },
    side("a"),
    side("b"),
  ];
  if (props.all) {
    columns.push({
      id: "same",
      head: "Differs",
      cell: (l) => <span className={css.dim}>{l.a === l.b ? "no" : "yes"}</span>,
    });
  }
  return (
    <Section title={props.title} about={`${other.length} of ${props.lines.length} differ`} flush>
      <DataTable
        label={props.title}
        columns={columns}
        rows={props.all ? props.lines : other}
        rowKey={(l) => l.name}
      />
    </Section>
  );
}

function parts(x: Facts, y: Facts): PartOf[] {
  return [
    {
      title: "Measured on the holdout",
      numeric: true,
      lines: lines(judgedMetrics(x), judgedMetrics(y)),
    },
    { title: "Logged by the run", numeric: true, lines: lines(runMetrics(x), runMetrics(y)) },
    { title: "Params", numeric: true, lines: lines(paramsOf(x), paramsOf(y)) },
    { title: "Data", lines: lines(dataOf(x), dataOf(y)) },
    { title: "Signature", lines: lines(fieldsOf(x), fieldsOf(y)) },
    { title: "Origin and package", lines: lines(originOf(x), originOf(y)) },
  ];
}

interface Named {
  name: string;
  text: string;
}

/** Puts what two versions have side by side, by name. */
export function lines(a: readonly Named[], b: readonly Named[]): Line[] {
  const names = [...new Set([...a, ...b].map((n) => n.name))];
  const text = (of: readonly Named[], name: string) => of.find((n) => n.name === name)?.text;
  return names.map((name) => ({ name, a: text(a, name), b: text(b, name) }));
}

function dataOf(f: Facts): Named[] {
  return f.data.map((d) => ({
    name: d.dataset,
    text: `version ${d.n}, ${d.rows.toLocaleString("en-US")} rows`,
  }));
}

function fieldsOf(f: Facts): Named[] {
  const s = f.package?.signature ?? f.files?.signature;
  const field = (side: string) => (x: { name: string; kind: string; required: boolean }) => ({
    name: `${side} ${x.name}`,
    text: x.required ? x.kind : `${x.kind}, optional`,
  });
  return s ? [...s.inputs.map(field("input")), ...s.outputs.map(field("output"))] : [];
}

function originOf(f: Facts): Named[] {
  const by = f.version.produced_by;
  const all: [string, string | undefined][] = [
    ["Made", absolute(f.version.created_ms)],
    ["Made by", madeBy(f.version)],
    ["Commit", by.commit],
    ["fairlead.yaml", by.spec_rev === undefined ? undefined : `revision ${by.spec_rev}`],
    ["Environment", by.env_lock],
    ["State", f.version.state],
    ["Gate", f.decision?.result],
    ["Engine", f.package?.engine],
    ["Converter", f.package?.converter],
    ["Flavors", f.files?.flavors.join(", ")],
  ];
  return all.flatMap(([name, text]) => (text === undefined ? [] : [{ name, text }]));
}
