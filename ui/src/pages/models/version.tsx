import { Button } from "@mantine/core";
import { useInfiniteQuery, useMutation, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { ChevronDown, Download, Printer } from "lucide-react";
import { useState, type ReactNode } from "react";
import { StatusBadge } from "../../components/Badge";
import { Command } from "../../components/Command";
import { DataTable, type Column } from "../../components/DataTable";
import { Bone, Lines, Loaded } from "../../components/Loaded";
import { Menu, MenuItem } from "../../components/Menu";
import { More } from "../../components/More";
import { Columns, Page, Section } from "../../components/Page";
import { Facts as FactList, Stat, Stats } from "../../components/Stat";
import { Empty, Failure } from "../../components/State";
import { Time } from "../../components/Time";
import { AuditLink, CaseLink, PipelineLink, RunLink } from "../../components/links";
import { saveFile } from "../../components/save";
import { toast } from "../../components/toast";
import type { Change } from "../../data/live";
import {
  decisionsQuery,
  factsQuery,
  lineageQuery,
  modelQuery,
  proofAddress,
  versionCard,
  versionEventsQuery,
  versionQuery,
  type AsOf,
  type Decision,
  type Facts,
  type Version,
} from "../../data/models";
import { useMay } from "../../data/may";
import { itemsOf } from "../../data/query";
import { bytes, count, plural, UNKNOWN, value } from "../../format/number";
import { AsOfPicker, PastNote, pastWhy } from "./AsOf";
import { AliasDialog, CandidateButton, DeleteVersionDialog, StageDialog } from "./Changes";
import { DecisionCard } from "./Checks";
import { LineageFigure } from "./Lineage";
import {
  ConditionsTable,
  DataFactsTable,
  HoldsList,
  judgedMetrics,
  NamedTable,
  paramsOf,
  runMetrics,
  SignatureTable,
} from "./Tables";
import { Words } from "./Words";
import css from "./models.module.css";
import { actorName, judgedMetric, madeBy } from "./words";

/** A version: how it came to be, what gates decided, what it is, and the proof of it. */
export function VersionPage() {
  const params = useParams({ from: "/p/$project/models/$model/versions/$version" });
  const n = Number(params.version);
  if (!Number.isInteger(n) || n < 1) {
    return (
      <Page title={params.model}>
        <Failure error={new Error(`“${params.version}” is no number of a version.`)} />
      </Page>
    );
  }
  return <VersionOf project={params.project} model={params.model} n={n} />;
}

interface VersionOfProps {
  project: string;
  model: string;
  n: number;
}

function VersionOf({ project, model, n }: VersionOfProps) {
  const { as_of: asOf = "" } = useSearch({ from: "/p/$project/models/$model/versions/$version" });
  const navigate = useNavigate({ from: "/p/$project/models/$model/versions/$version" });
  const onAsOf = (to: AsOf) =>
    void navigate({ search: to === "" ? {} : { as_of: to }, resetScroll: false });
  const version = useQuery(versionQuery(project, model, n, asOf));
  return (
    <Page
      title={`${model} version ${n}`}
      crumbs={[
        <Link key="models" from="/p/$project" to="/p/$project/models">
          Models
        </Link>,
        <Link
          key="model"
          from="/p/$project"
          to="/p/$project/models/$model"
          params={{ model }}
          search={asOf === "" ? {} : { as_of: asOf }}
        >
          {model}
        </Link>,
      ]}
      badge={version.data && <Badges version={version.data} />}
      actions={
        <>
          <AsOfPicker asOf={asOf} onChange={onAsOf} />
          {version.data && (
            <Actions project={project} version={version.data} locked={pastWhy(asOf)} />
          )}
        </>
      }
    >
      <PastNote asOf={asOf} onChange={onAsOf}>
        Conditions, holds, cases and the package are not told of the past.
      </PastNote>
      <Loaded
        query={version}
        skeleton={
          <Section title="Summary">
            <Bone height={66} narrow={260} />
          </Section>
        }
      >
        {(v) => <Sections project={project} version={v} asOf={asOf} />}
      </Loaded>
    </Page>
  );
}

function Badges({ version: v }: { version: Version }) {
  return (
    <span className={css.inline}>
      <StatusBadge state={v.state} />
      {v.aliases.map((alias) => (
        <span key={alias} className={css.alias} data-alias={alias}>
          {alias}
        </span>
      ))}
      {v.stage !== "None" && <span className={css.alias}>{v.stage}</span>}
    </span>
  );
}

interface SectionsProps {
  project: string;
  version: Version;
  asOf: AsOf;
}

function Sections({ project, version: v, asOf }: SectionsProps) {
  const facts = useQuery(factsQuery(project, v.model, v.n));
  const lineage = useQuery(lineageQuery(project, v.model, v.n, asOf));
  const decisions = useInfiniteQuery(decisionsQuery(project, v.model, asOf, v.n));
  const decided = itemsOf(decisions);
  const past = asOf !== "";
  const known = (f: Facts) => (past ? factsOf(f, decided[0]) : f);
  return (
    <>
      <Section title="Summary" about={v.reason}>
        <Loaded query={facts} skeleton={<Bone height={66} narrow={260} />}>
          {(f) => <Summary version={v} facts={known(f)} decision={decided[0]} past={past} />}
        </Loaded>
      </Section>
      <Section
        title="Lineage"
        about="What led to it, and where it went. Dashed: what it was judged on and compared with."
      >
        <Loaded query={lineage} skeleton={<Bone height={280} narrow={548} />}>
          {(l) => <LineageFigure lineage={l} />}
        </Loaded>
      </Section>
      <Section
        title="What the gate decided"
        about="Each check with the facts that it read; a decision can be computed again."
        flush
      >
        <Loaded
          query={decisions}
          skeleton={
            <div style={{ padding: 16 }}>
              <Lines n={4} />
            </div>
          }
          isEmpty={() => decided.length === 0}
          empty={
            <Empty
              title="No gate has judged this version"
              command={`fairlead release ${v.model} ${v.n}`}
            >
              Make it the candidate, and it is packaged, judged and released.
            </Empty>
          }
        >
          {() => decided.map((d) => <DecisionCard key={d.id} project={project} decision={d} />)}
        </Loaded>
        <More query={decisions}>Show older decisions</More>
      </Section>
      <Columns>
        <Section title="Description and tags">
          <Words
            project={project}
            model={v.model}
            version={v.n}
            description={v.description ?? ""}
            tags={v.tags}
            locked={pastWhy(asOf)}
          />
        </Section>
        <Section title="Where it comes from">
          <Loaded query={facts}>{(f) => <Origin version={v} facts={known(f)} />}</Loaded>
        </Section>
      </Columns>
      <Loaded query={facts}>{(f) => <FactSections facts={known(f)} past={past} />}</Loaded>
      <Proof project={project} model={v.model} n={v.n} />
    </>
  );
}

/** What of the facts was known once: what it is made of, and what had been measured. */
function factsOf(facts: Facts, decision: Decision | undefined): Facts {
  const then: Facts = { ...facts, cases: [] };
  delete then.package;
  if (decision?.id !== facts.decision?.id) delete then.evidence;
  return then;
}

interface SummaryProps {
  version: Version;
  facts: Facts;
  /** The newest of what is shown. */
  decision: Decision | undefined;
  past: boolean;
}

function Summary({ version: v, facts, decision, past }: SummaryProps) {
  const asked = judgedMetric(decision ? [decision] : []);
  const measured = judgedMetrics(facts);
  const metric = measured.find((m) => m.name === asked) ?? measured[0];
  const files = facts.files;
  return (
    <Stats>
      <Stat
        label="Gate"
        value={decision ? <StatusBadge state={decision.result} /> : UNKNOWN}
        note={decision && <Time at={decision.at} clock="stream" />}
      />
      {metric && <Stat label={`${metric.name} on the holdout`} value={metric.text} />}
      <Stat label="Made" value={<Time at={v.created_ms} />} note={madeBy(v)} />
      {!past && (
        <Stat
          label="Served by"
          value={
            facts.package ? (facts.package.engine === "onnx" ? "ONNX" : "Python worker") : UNKNOWN
          }
          note={facts.package ? undefined : "not packaged"}
        />
      )}
      {files?.size_bytes !== undefined && (
        <Stat label="Size" value={bytes(files.size_bytes)} note={files.flavors.join(", ")} />
      )}
    </Stats>
  );
}

function Origin({ version: v, facts }: { version: Version; facts: Facts }) {
  const by = v.produced_by;
  const items: [string, ReactNode][] = [
    ["Made", <Time key="made" at={v.created_ms} />],
    ["By", actorName(v.user)],
  ];
  if (facts.run) {
    items.push([
      "Run",
      <RunLink key="run" experiment={facts.run.experiment} run={facts.run.id}>
        {facts.run.name}
      </RunLink>,
    ]);
  }
  if (by.pipeline_run) {
    items.push(["Pipeline run", <PipelineLink key="p" id={by.pipeline_run} />]);
    if (facts.pipeline?.reason) items.push(["Why it won", facts.pipeline.reason]);
  }
  for (const c of facts.cases) {
    items.push([
      "Case",
      <span key={c.id} className={css.inline}>
        <CaseLink id={c.id} />
        <StatusBadge state={c.outcome ?? c.state} />
      </span>,
    ]);
  }
  if (by.commit)
    items.push([
      "Commit",
      <code key="c" className={css.mono}>
        {by.commit}
      </code>,
    ]);
  if (by.spec_rev) items.push(["fairlead.yaml", `revision ${by.spec_rev}`]);
  if (by.env_lock) {
    items.push([
      "Environment",
      <code key="e" className={css.mono}>
        {by.env_lock.slice(0, 16)}
      </code>,
    ]);
  }
  items.push([
    "Source",
    <code key="s" className={css.mono}>
      {v.source}
    </code>,
  ]);
  return <FactList items={items} />;
}

function FactSections({ facts, past }: { facts: Facts; past: boolean }) {
  const signature = facts.package?.signature ?? facts.files?.signature;
  const [judged, logged, params] = [judgedMetrics(facts), runMetrics(facts), paramsOf(facts)];
  return (
    <>
      <Section title="Data" flush>
        {facts.data.length === 0 ? (
          <Empty title="The version names no data">
            A pipeline says which dataset versions it read. This one was registered without it.
          </Empty>
        ) : (
          <DataFactsTable data={facts.data} />
        )}
      </Section>
      <Columns min={300}>
        <Section title="Measured on the holdout" flush>
          {judged.length === 0 ? (
            <Empty title="Not measured" />
          ) : (
            <NamedTable label="Metrics on the holdout" rows={judged} numeric />
          )}
        </Section>
        <Section title="Logged by the run" flush>
          {logged.length === 0 ? (
            <Empty title="No metrics" />
          ) : (
            <NamedTable label="Metrics of the run" rows={logged} numeric />
          )}
        </Section>
        <Section title="Params" flush>
          {params.length === 0 ? (
            <Empty title="No params" />
          ) : (
            <NamedTable label="Params" rows={params} numeric />
          )}
        </Section>
      </Columns>
      <Columns>
        <Section title="Signature" about="What it takes and gives." flush>
          {signature ? (
            <SignatureTable signature={signature} />
          ) : (
            <Empty title="No signature">
              {facts.files?.problem ??
                "Log the model with an input example or a signature, and it can be served."}
            </Empty>
          )}
        </Section>
        {!past && (
          <Section title="Package and conditions">
            <div className={css.stack}>
              <PackageFacts facts={facts} />
              <ConditionsTable conditions={facts.version.conditions} />
              <HoldsList all={facts.version.holds} />
            </div>
          </Section>
        )}
      </Columns>
    </>
  );
}

function PackageFacts({ facts }: { facts: Facts }) {
  const m = facts.package;
  if (!m) {
    const why = facts.version.conditions.find((c) => c.type === "packaged")?.reason;
    return <p className={css.none}>Not packaged{why ? `: ${why}` : " yet"}.</p>;
  }
  const items: [string, ReactNode][] = [
    ["Engine", m.engine === "onnx" ? "ONNX Runtime" : "Python worker"],
  ];
  if (m.converter) items.push(["Converted by", m.converter]);
  if (m.python) items.push(["Python", m.python]);
  if (m.parity) {
    items.push([
      "Compared",
      m.parity.rows > 0
        ? `on ${plural(m.parity.rows, "row")}: largest relative difference ${value(Number(m.parity.max_relative), 2)}, tolerated ${value(m.parity.tolerance, 2)}`
        : (m.parity.reason ?? UNKNOWN),
    ]);
  }
  return (
    <div>
      <FactList items={items} />
      {m.lock && (
        <details>
          <summary>Exact requirements ({plural(packagesIn(m.lock), "package")})</summary>
          <pre className={css.lock} tabIndex={0} aria-label="Exact requirements">
            {m.lock}
          </pre>
        </details>
      )}
    </div>
  );
}

/** A model's name as a part of a file's. */
const fileName = (model: string) => model.replace(/[^\w.-]+/g, "-");

/** How many packages a lock pins. */
function packagesIn(lock: string): number {
  return lock.split("\n").filter((line) => /^[a-z0-9]/i.test(line)).length;
}

function Proof({ project, model, n }: VersionOfProps) {
  const [shown, setShown] = useState(false);
  const events = useQuery({ ...versionEventsQuery(project, model, n), enabled: shown });
  const file = `${fileName(model)}-${n}-proof.json`;
  return (
    <Section
      title="Proof"
      about="Each event that led to this version, in the ledger's Merkle tree, with what it names by digest."
      actions={
        <Button
          component="a"
          size="compact-sm"
          variant="default"
          href={proofAddress(project, model, n)}
          download={file}
          leftSection={<Download size={14} aria-hidden />}
        >
          Download the proof
        </Button>
      }
    >
      <div className={css.stack}>
        <p>
          The file has the events, their paths to the signed head of the ledger, the gate&apos;s
          decision with its policy and facts, fairlead.yaml and the package&apos;s manifest. It is
          checked without a server:
        </p>
        <Command>{`fairlead audit check ${file}`}</Command>
        <details onToggle={(e) => setShown(e.currentTarget.open)}>
          <summary>What is proven</summary>
          {shown && (
            <Loaded query={events}>
              {(page) => (
                <>
                  <p className={css.dim}>
                    {plural(page.items.length, "event")}. A number leads to the event, whose proof
                    your browser checks.
                  </p>
                  <DataTable
                    label="Events"
                    columns={eventColumns}
                    rows={page.items}
                    rowKey={(e) => e.id}
                  />
                </>
              )}
            </Loaded>
          )}
        </details>
      </div>
    </Section>
  );
}

const eventColumns: Column<Change>[] = [
  {
    id: "seq",
    head: "No.",
    numeric: true,
    sort: (e) => e.seq,
    cell: (e) => <AuditLink seq={e.seq}>{count(e.seq)}</AuditLink>,
  },
  { id: "text", head: "What", cell: (e) => e.text },
  { id: "actor", head: "By", minor: true, sort: (e) => e.actor, cell: (e) => actorName(e.actor) },
  { id: "time", head: "When", sort: (e) => e.time_ms, cell: (e) => <Time at={e.time_ms} /> },
  {
    id: "at",
    head: "Stream time",
    minor: true,
    sort: (e) => e.at_ms,
    cell: (e) => (e.at_ms === e.time_ms ? UNKNOWN : <Time at={e.at_ms} clock="stream" />),
  },
];

interface ActionsProps {
  project: string;
  version: Version;
  locked: string;
}

type Dialog = "alias" | "stage" | "delete";

function Actions({ project, version: v, locked }: ActionsProps) {
  const [dialog, setDialog] = useState<Dialog>();
  const navigate = useNavigate();
  const model = useQuery(modelQuery(project, v.model, ""));
  const { why } = useMay("track");
  const refused = locked || why;
  const close = () => setDialog(undefined);
  const same = { project, model: v.model, version: v.n, onClose: close };
  const live = model.data?.aliases["live"];
  const card = useMutation({
    mutationFn: () => versionCard(project, v.model, v.n),
    onSuccess: ({ markdown }) => saveFile(`${fileName(v.model)}-${v.n}-card.md`, markdown),
    onError: (err) => toast({ title: "No card", message: err.message, tone: "bad" }),
  });
  return (
    <>
      <CandidateButton project={project} version={v} locked={locked} />
      <Menu
        label="More"
        align="end"
        target={
          <Button variant="default" rightSection={<ChevronDown size={14} aria-hidden />}>
            More
          </Button>
        }
      >
        {live !== undefined && live !== v.n && (
          <MenuItem
            onClick={() =>
              void navigate({
                to: "/p/$project/models/$model/compare",
                params: { project, model: v.model },
                search: { a: live, b: v.n },
              })
            }
          >
            Compare with version {live}, which is live
          </MenuItem>
        )}
        <Item why={refused} onClick={() => setDialog("alias")}>
          Give it an alias
        </Item>
        <Item why={refused} onClick={() => setDialog("stage")}>
          Set its stage
        </Item>
        <MenuItem left={<Printer size={14} aria-hidden />} onClick={() => window.print()}>
          Print the facts
        </MenuItem>
        <MenuItem left={<Download size={14} aria-hidden />} onClick={() => card.mutate()}>
          Save its model card
        </MenuItem>
        <hr />
        <Item why={refused} danger onClick={() => setDialog("delete")}>
          Delete this version
        </Item>
      </Menu>
      {dialog === "alias" && <AliasDialog {...same} aliases={model.data?.aliases ?? {}} />}
      {dialog === "stage" && <StageDialog {...same} stage={v.stage} />}
      {dialog === "delete" && (
        <DeleteVersionDialog
          {...same}
          onDone={() =>
            void navigate({
              to: "/p/$project/models/$model",
              params: { project, model: v.model },
            })
          }
        />
      )}
    </>
  );
}

interface ItemProps {
  why: string;
  danger?: boolean;
  onClick: () => void;
  children: ReactNode;
}

/** An entry of a menu that says why it cannot be chosen. */
function Item({ why, danger, onClick, children }: ItemProps) {
  return (
    <MenuItem disabled={why !== ""} danger={danger} onClick={onClick}>
      {children}
      {why !== "" && <div className={css.dim}>{why}</div>}
    </MenuItem>
  );
}
