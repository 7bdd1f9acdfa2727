import { Button, Tabs } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { ArrowLeftRight, SquareTerminal } from "lucide-react";
import { StatusBadge } from "../../components/Badge";
import { CopyButton } from "../../components/CopyButton";
import { DataTable } from "../../components/DataTable";
import { Lines, Loaded } from "../../components/Loaded";
import { Page, Section } from "../../components/Page";
import { Stat, Stats } from "../../components/Stat";
import { Empty } from "../../components/State";
import { Time } from "../../components/Time";
import { readsQuery, versionQuery, type DatasetVersion, type Ref } from "../../data/datasets";
import { bytes, count, short } from "../../format/number";
import { Lineage } from "./lineage";
import { Profile } from "./profile";
import { TABS, type Tab } from "./routes";
import { Rows } from "./rows";
import { nameOf, quoted, sourceOf } from "./words";

const ROUTE = "/p/$project/data/$dataset/$version";

/** One version of a dataset: its columns, its rows, and where it stands among others. */
export function VersionPage() {
  const params = useParams({ from: ROUTE });
  const { project, dataset } = params;
  const ref = { dataset, n: Number(params.version) };
  const version = useQuery(versionQuery(project, ref));
  return (
    <Page
      title={`${dataset} / ${params.version}`}
      crumbs={[
        <Link key="data" to="/p/$project/data" params={{ project }}>
          Data
        </Link>,
        <Link key="dataset" to="/p/$project/data/$dataset" params={{ project, dataset }}>
          {dataset}
        </Link>,
      ]}
      badge={version.data?.source === "holdout" && <StatusBadge state="held" label="holdout" />}
      about={version.data && <About version={version.data} />}
      actions={<Actions project={project} at={ref} />}
    >
      <Loaded
        query={version}
        skeleton={
          <Section title="Columns">
            <Lines n={10} height={24} />
          </Section>
        }
      >
        {(v) => <Version project={project} version={v} />}
      </Loaded>
    </Page>
  );
}

function About({ version: v }: { version: DatasetVersion }) {
  return (
    <>
      {sourceOf(v)}, made <Time at={v.created_at} />. SHA-256 <code>{v.digest.slice(0, 12)}</code>{" "}
      <CopyButton text={v.digest} what="Copy the digest" />
    </>
  );
}

function Actions({ project, at }: { project: string; at: Ref }) {
  return (
    <>
      <Button
        variant="default"
        leftSection={<ArrowLeftRight size={14} aria-hidden />}
        renderRoot={(props) => (
          <Link
            to="/p/$project/data/$dataset/$version/diff"
            params={{ project, dataset: at.dataset, version: String(at.n) }}
            {...props}
          />
        )}
      >
        Compare
      </Button>
      <Button
        variant="default"
        leftSection={<SquareTerminal size={14} aria-hidden />}
        renderRoot={(props) => (
          <Link
            to="/p/$project/data/query"
            params={{ project }}
            search={{ sql: `select *\nfrom ${quoted(nameOf(at))}\nlimit 100` }}
            {...props}
          />
        )}
      >
        Query
      </Button>
    </>
  );
}

const labels: Record<Tab, string> = {
  profile: "Profile",
  rows: "Rows",
  lineage: "Lineage",
  reads: "Reads",
};

function Version({ project, version: v }: { project: string; version: DatasetVersion }) {
  const search = useSearch({ from: ROUTE });
  const navigate = useNavigate({ from: ROUTE });
  const held = v.source === "holdout";
  const tabs = TABS.filter((t) => t !== "reads" || held);
  const tab = tabs.find((t) => t === search.tab) ?? "profile";
  const missing = v.columns.reduce((sum, c) => sum + c.nulls, 0);
  return (
    <>
      <Section title="At a glance">
        <Stats>
          <Stat label="Rows" value={short(v.rows)} note={v.rows >= 10_000 && count(v.rows)} />
          <Stat label="Columns" value={count(v.columns.length)} />
          <Stat label="Missing values" value={short(missing)} />
          <Stat label="Size" value={bytes(v.bytes)} note="as Parquet" />
          <Stat label="From" value={v.from_at?.slice(0, 10) ?? "–"} note="event time" />
          <Stat label="To" value={v.to_at?.slice(0, 10) ?? "–"} note="event time" />
        </Stats>
      </Section>
      <Tabs
        value={tab}
        keepMounted={false}
        onChange={(t) => {
          const next = TABS.find((name) => name === t);
          void navigate({ search: next && next !== "profile" ? { tab: next } : {}, replace: true });
        }}
      >
        <Tabs.List mb="md">
          {tabs.map((t) => (
            <Tabs.Tab key={t} value={t}>
              {labels[t]}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value="profile">
          <div style={{ display: "grid", gap: 16 }}>
            <Profile project={project} version={v} column={search.column} />
          </div>
        </Tabs.Panel>
        <Tabs.Panel value="rows">
          <Rows project={project} version={v} />
        </Tabs.Panel>
        <Tabs.Panel value="lineage">
          <Lineage project={project} version={v} />
        </Tabs.Panel>
        {held && (
          <Tabs.Panel value="reads">
            <Reads project={project} at={v} />
          </Tabs.Panel>
        )}
      </Tabs>
    </>
  );
}

const purposes: Record<string, string> = {
  gate: "judged by the gate",
  reference: "counted as a reference",
  preview: "looked at",
  query: "queried",
};

/** Who has read a holdout: each read makes the next judgement a little less honest. */
function Reads({ project, at }: { project: string; at: Ref }) {
  const reads = useQuery(readsQuery(project, at));
  return (
    <Section
      title="Reads"
      about="Each is recorded before it happens, and is an event of the audit."
      flush
    >
      <Loaded
        query={reads}
        isEmpty={(page) => page.items.length === 0}
        empty={
          <Empty title="Nobody has read it">The gate reads it when it judges a version.</Empty>
        }
      >
        {(page) => (
          <DataTable
            label={`Reads of ${nameOf(at)}`}
            rows={page.items}
            rowKey={(r) => `${r.at} ${r.actor} ${r.version ?? ""} ${r.reader ?? ""}`}
            columns={[
              {
                id: "at",
                head: "When",
                cell: (r) => <Time at={r.at} />,
                sort: (r) => Date.parse(r.at),
              },
              { id: "actor", head: "Who", cell: (r) => r.actor, sort: (r) => r.actor },
              {
                id: "purpose",
                head: "What for",
                cell: (r) => purposes[r.purpose] ?? r.purpose,
                sort: (r) => r.purpose,
              },
              {
                id: "model",
                head: "Model",
                cell: (r) => (r.model ? `${r.model} ${r.version ?? ""}` : "–"),
                sort: (r) => r.version,
              },
              { id: "reason", head: "Why", cell: (r) => r.reason ?? "–" },
            ]}
          />
        )}
      </Loaded>
    </Section>
  );
}
