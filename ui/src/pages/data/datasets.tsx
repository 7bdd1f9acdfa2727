import { Button, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { Search, SquareTerminal } from "lucide-react";
import { useState } from "react";
import { FirstRun } from "../../app/FirstRun";
import { StatusBadge } from "../../components/Badge";
import { DataTable, type Column } from "../../components/DataTable";
import { Lines, Loaded } from "../../components/Loaded";
import { Page, Section } from "../../components/Page";
import { Empty } from "../../components/State";
import { Time } from "../../components/Time";
import { datasetsQuery, type Dataset } from "../../data/datasets";
import { bytes, count, plural } from "../../format/number";
import css from "./data.module.css";
import { covers, kindOf, sourceOf } from "./words";

/** The datasets of a project, as their newest versions. */
export function Datasets() {
  const { project } = useParams({ from: "/p/$project/data" });
  const { q = "" } = useSearch({ from: "/p/$project/data" });
  const datasets = useQuery(datasetsQuery(project, q));
  return (
    <Page
      title="Data"
      about="Datasets are tables as they were: each version is kept once, by its content, and never changes."
      actions={
        <Button
          variant="default"
          leftSection={<SquareTerminal size={14} aria-hidden />}
          renderRoot={(props) => (
            <Link to="/p/$project/data/query" params={{ project }} {...props} />
          )}
        >
          Query with SQL
        </Button>
      }
    >
      <Section
        title="Datasets"
        about={
          datasets.data &&
          (datasets.data.next
            ? `the first ${count(datasets.data.items.length)}; find others by their name`
            : plural(datasets.data.items.length, "dataset"))
        }
        actions={<Find q={q} />}
        flush
      >
        <Loaded
          query={datasets}
          skeleton={
            <div style={{ padding: 16 }}>
              <Lines n={5} height={22} />
            </div>
          }
          isEmpty={(page) => page.items.length === 0}
          empty={q ? <NoneFound q={q} /> : <None />}
        >
          {(page) => (
            <DataTable
              label="Datasets by name"
              columns={columns(project)}
              rows={page.items}
              rowKey={(d) => d.dataset}
            />
          )}
        </Loaded>
      </Section>
    </Page>
  );
}

function Find({ q }: { q: string }) {
  const navigate = useNavigate({ from: "/p/$project/data" });
  const [text, setText] = useState(q);
  const go = useDebouncedCallback((value: string) => {
    void navigate({ search: value ? { q: value } : {}, replace: true });
  }, 200);
  return (
    <TextInput
      aria-label="Find datasets by name"
      placeholder="Find by name"
      type="search"
      value={text}
      leftSection={<Search size={13} aria-hidden />}
      onChange={(e) => {
        setText(e.currentTarget.value);
        go(e.currentTarget.value);
      }}
    />
  );
}

function None() {
  return (
    <FirstRun title="There is no data yet">
      Name it under <code>data:</code> in fairlead.yaml. A run, or the first case of a model, makes
      versions of it; requests of production become some too.
    </FirstRun>
  );
}

function NoneFound({ q }: { q: string }) {
  return <Empty title={`No dataset has “${q}” in its name`}>Find by another part of it.</Empty>;
}

function columns(project: string): Column<Dataset>[] {
  return [
    {
      id: "dataset",
      head: "Dataset",
      sort: (d) => d.dataset,
      cell: (d) => (
        <>
          <Link to="/p/$project/data/$dataset" params={{ project, dataset: d.dataset }}>
            {d.dataset}
          </Link>{" "}
          {d.source === "holdout" && <StatusBadge state="held" label="holdout" />}
        </>
      ),
    },
    {
      id: "newest",
      head: "Newest",
      numeric: true,
      cell: (d) => (
        <Link
          to="/p/$project/data/$dataset/$version"
          params={{ project, dataset: d.dataset, version: String(d.n) }}
          aria-label={`${d.dataset} version ${d.n}`}
        >
          {d.n}
        </Link>
      ),
      sort: (d) => d.n,
    },
    {
      id: "versions",
      head: "Versions",
      numeric: true,
      minor: true,
      sort: (d) => d.versions,
      cell: (d) => count(d.versions),
    },
    {
      id: "rows",
      head: "Rows",
      numeric: true,
      sort: (d) => d.rows,
      cell: (d) => count(d.rows),
    },
    {
      id: "columns",
      head: "Columns",
      numeric: true,
      minor: true,
      sort: (d) => d.columns.length,
      cell: (d) => count(d.columns.length),
    },
    {
      id: "bytes",
      head: "Size",
      numeric: true,
      minor: true,
      sort: (d) => d.bytes,
      cell: (d) => bytes(d.bytes),
    },
    {
      id: "from",
      head: "From",
      minor: true,
      sort: kindOf,
      cell: (d) => <span title={sourceOf(d)}>{kindOf(d)}</span>,
    },
    {
      id: "covers",
      head: "Covers (event time)",
      minor: true,
      sort: (d) => d.to_at ?? null,
      cell: (d) => <span className={css.line}>{covers(d)}</span>,
    },
    {
      id: "changed",
      head: "Changed",
      sort: (d) => Date.parse(d.created_at),
      cell: (d) => <Time at={d.created_at} />,
    },
  ];
}
