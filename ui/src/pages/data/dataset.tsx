import { Button } from "@mantine/core";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useMemo } from "react";
import { StatusBadge } from "../../components/Badge";
import { DataTable, type Column } from "../../components/DataTable";
import { Bone, Lines, Loaded } from "../../components/Loaded";
import { More } from "../../components/More";
import { Page, Section } from "../../components/Page";
import { Failed } from "../../components/State";
import { Time } from "../../components/Time";
import { Bars } from "../../charts/Bars";
import { Figure } from "../../charts/Figure";
import type { Schemas } from "../../data/client";
import { datasetUsesQuery, versionsQuery, type DatasetVersion } from "../../data/datasets";
import { bytes, count, plural } from "../../format/number";
import css from "./data.module.css";
import { besides, covers, nameOf, kindOf, sourceOf } from "./words";

type Use = Schemas["DatasetUse"];

/** The versions of a dataset: what each was made of, and who used it. */
export function DatasetPage() {
  const { project, dataset } = useParams({ from: "/p/$project/data/$dataset" });
  const versions = useInfiniteQuery(versionsQuery(project, dataset));
  const uses = useQuery(datasetUsesQuery(project, dataset));
  const all = useMemo(() => versions.data?.pages.flatMap((p) => p.items) ?? [], [versions.data]);
  const newest = all[0];
  return (
    <Page
      title={dataset}
      crumbs={[
        <Link key="data" to="/p/$project/data" params={{ project }}>
          Data
        </Link>,
      ]}
      badge={newest?.source === "holdout" && <StatusBadge state="held" label="holdout" />}
      about={
        newest
          ? `Newest version ${newest.n}: ${plural(newest.rows, "row")}, ${sourceOf(newest)}`
          : versions.isPending && "\u00a0"
      }
      actions={
        newest && (
          <Button
            variant="default"
            renderRoot={(props) => (
              <Link
                to="/p/$project/data/$dataset/$version"
                params={{ project, dataset, version: String(newest.n) }}
                {...props}
              />
            )}
          >
            Open the newest
          </Button>
        )
      }
    >
      {versions.isPending ? (
        <Section title="Rows by version">
          <Bone height={90} narrow={90} />
        </Section>
      ) : (
        all.length > 1 && <Growth versions={all} />
      )}
      <Section
        title="Versions"
        about={
          all.length > 0 &&
          `${plural(all.length, "version")}${versions.hasNextPage ? " so far" : ""}`
        }
        flush
      >
        <Loaded
          query={versions}
          skeleton={
            <div style={{ padding: 16 }}>
              <Lines n={8} height={22} />
            </div>
          }
        >
          {() => (
            <>
              <Failed query={uses} title="Who used the versions could not be loaded" />
              <DataTable
                label={`Versions of ${dataset}`}
                columns={columns(project, all, uses.data?.items)}
                rows={all}
                rowKey={nameOf}
              />
            </>
          )}
        </Loaded>
        <More query={versions}>Show older versions</More>
      </Section>
    </Page>
  );
}

/** Rows of the versions, the oldest at the left. */
function Growth({ versions }: { versions: DatasetVersion[] }) {
  const shown = versions.slice(0, 120).reverse();
  const [first, last] = [shown[0], shown[shown.length - 1]];
  return (
    <Section title="Rows by version">
      <Figure
        title={first && last ? `Versions ${first.n} to ${last.n}` : "Versions"}
        describe={`Rows of ${plural(shown.length, "version")}, from ${count(first?.rows)} to ${count(last?.rows)}`}
        table={() => (
          <DataTable
            label="Rows of each version"
            rows={shown}
            rowKey={nameOf}
            columns={[
              { id: "n", head: "Version", cell: (v) => v.n, sort: (v) => v.n },
              {
                id: "rows",
                head: "Rows",
                numeric: true,
                cell: (v) => count(v.rows),
                sort: (v) => v.rows,
              },
            ]}
          />
        )}
      >
        <Bars values={shown.map((v) => v.rows)} height={64} />
      </Figure>
    </Section>
  );
}

function columns(
  project: string,
  all: DatasetVersion[],
  uses: Use[] | undefined,
): Column<DatasetVersion>[] {
  const usesOf = (v: DatasetVersion) => uses?.filter((u) => u.n === v.n);
  return [
    {
      id: "n",
      head: "Version",
      sort: (v) => v.n,
      cell: (v) => (
        <Link
          to="/p/$project/data/$dataset/$version"
          params={{ project, dataset: v.dataset, version: String(v.n) }}
          aria-label={`${v.dataset} version ${v.n}`}
        >
          {v.n}
        </Link>
      ),
    },
    { id: "rows", head: "Rows", numeric: true, sort: (v) => v.rows, cell: (v) => count(v.rows) },
    {
      id: "columns",
      head: "Columns",
      numeric: true,
      minor: true,
      sort: (v) => v.columns.length,
      cell: (v) => v.columns.length,
    },
    {
      id: "bytes",
      head: "Size",
      numeric: true,
      minor: true,
      sort: (v) => v.bytes,
      cell: (v) => bytes(v.bytes),
    },
    {
      id: "from",
      head: "From",
      minor: true,
      sort: kindOf,
      cell: (v) => <span title={sourceOf(v)}>{kindOf(v)}</span>,
    },
    {
      id: "made",
      head: "Made of",
      minor: true,
      cell: (v) => <Parents project={project} parents={v.parents ?? []} commit={v.commit} />,
    },
    {
      id: "used",
      head: "Used by",
      cell: (v) => <Used uses={usesOf(v)} />,
      sort: (v) => usesOf(v)?.length,
    },
    {
      id: "covers",
      head: "Covers (event time)",
      minor: true,
      sort: (v) => v.to_at ?? null,
      cell: (v) => <span className={css.line}>{covers(v)}</span>,
    },
    {
      id: "made-at",
      head: "Made",
      sort: (v) => Date.parse(v.created_at),
      cell: (v) => <Time at={v.created_at} />,
    },
    {
      id: "compare",
      head: "Compare",
      cell: (v) => {
        const b = besides(v.n, all);
        return (
          b && (
            <Link
              to="/p/$project/data/$dataset/$version/diff"
              params={{ project, dataset: v.dataset, version: String(v.n) }}
              search={{ from: String(b.n) }}
              aria-label={`Compare version ${v.n} with ${b.n}`}
            >
              with {b.n}
            </Link>
          )
        );
      },
    },
  ];
}

interface ParentsProps {
  project: string;
  parents: { dataset: string; n: number }[];
  commit: string | undefined;
}

function Parents({ project, parents, commit }: ParentsProps) {
  if (parents.length === 0)
    return commit ? <code title={commit}>commit {commit.slice(0, 8)}</code> : "–";
  return (
    <>
      {parents.map((p, i) => (
        <span key={nameOf(p)}>
          {i > 0 && ", "}
          <Link
            to="/p/$project/data/$dataset/$version"
            params={{ project, dataset: p.dataset, version: String(p.n) }}
          >
            {nameOf(p)}
          </Link>
        </span>
      ))}
    </>
  );
}

/** The models whose cases used a version, with what came of it. */
function Used({ uses }: { uses: Use[] | undefined }) {
  if (!uses) return <>…</>; // not known yet, which is not the same as none
  const [first] = uses;
  if (!first) return <>–</>;
  return (
    <span style={{ display: "inline-flex", gap: 8, flexWrap: "wrap", alignItems: "center" }}>
      <span>
        {first.model}
        {first.version ? ` ${first.version}` : ""}
      </span>
      <StatusBadge state={first.state} />
      {uses.length > 1 && <span>and {uses.length - 1} more</span>}
    </span>
  );
}
