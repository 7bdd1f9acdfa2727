import { Button, Checkbox } from "@mantine/core";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { GitCompareArrows, Trash2 } from "lucide-react";
import { useState, type ReactNode } from "react";
import { StatusBadge } from "../../components/Badge";
import { DataTable, type Column } from "../../components/DataTable";
import { GuardedButton } from "../../components/GuardedButton";
import { VersionLink } from "../../components/links";
import { Bone, Lines, Loaded } from "../../components/Loaded";
import { More } from "../../components/More";
import { Columns, Page, Section } from "../../components/Page";
import { Stat, Stats } from "../../components/Stat";
import { Empty } from "../../components/State";
import { Time } from "../../components/Time";
import {
  decisionsQuery,
  modelQuery,
  movesQuery,
  versionsQuery,
  type AsOf,
  type Decision,
  type Model,
  type Move,
  type Version,
} from "../../data/models";
import { useMay } from "../../data/may";
import { itemsOf } from "../../data/query";
import { UNKNOWN, value } from "../../format/number";
import { AsOfPicker, PastNote, pastWhy } from "./AsOf";
import { AliasDialog, DeleteModelDialog, UnaliasDialog } from "./Changes";
import { MoveStrip, MoveTable } from "./Moves";
import { Words } from "./Words";
import css from "./models.module.css";
import {
  actorName,
  failedChecks,
  few,
  judgedMetric,
  madeBy,
  newestByVersion,
  operand,
} from "./words";

/** A model: its versions, where its aliases point and have pointed, what gates decided. */
export function ModelPage() {
  const { project, model: name } = useParams({ from: "/p/$project/models/$model" });
  const { as_of: asOf = "" } = useSearch({ from: "/p/$project/models/$model" });
  const navigate = useNavigate({ from: "/p/$project/models/$model" });
  const onAsOf = (to: AsOf) =>
    void navigate({ search: to === "" ? {} : { as_of: to }, resetScroll: false });
  const model = useQuery(modelQuery(project, name, asOf));
  const moves = useInfiniteQuery(movesQuery(project, name, asOf));
  const decisions = useInfiniteQuery(decisionsQuery(project, name, asOf));
  const moved = itemsOf(moves);
  const decided = itemsOf(decisions);
  const locked = pastWhy(asOf);
  return (
    <Page
      title={name}
      crumbs={[
        <Link key="models" from="/p/$project" to="/p/$project/models">
          Models
        </Link>,
      ]}
      badge={model.data?.aliases["live"] === undefined ? undefined : <StatusBadge state="live" />}
      actions={
        <>
          <AsOfPicker asOf={asOf} onChange={onAsOf} />
          <Remove project={project} model={name} locked={locked} />
        </>
      }
    >
      <PastNote asOf={asOf} onChange={onAsOf} />
      <Loaded query={model} skeleton={<Skeletons />}>
        {(m) => (
          <>
            <Summary model={m} moves={moved} decision={decided[0]} asOf={asOf} />
            <Versions
              key={asOf}
              project={project}
              model={m}
              asOf={asOf}
              decisions={decided}
              whole={!decisions.hasNextPage}
            />
            <Section
              title="Aliases from move to move"
              about="A column is a move, not a length of time. Its number shows the page as of then."
              flush
            >
              <Loaded
                query={moves}
                isEmpty={() => moved.length === 0}
                empty={<Empty title="No alias has been set yet" />}
              >
                {() => <MoveStrip model={name} moves={moved} asOf={asOf} onAsOf={onAsOf} />}
              </Loaded>
            </Section>
            <Columns>
              <Section title="Aliases" flush>
                <Aliases project={project} model={m} moves={moved} asOf={asOf} />
              </Section>
              <Section title="Description and tags">
                <Words
                  project={project}
                  model={name}
                  description={m.description ?? ""}
                  tags={m.tags}
                  locked={locked}
                />
              </Section>
            </Columns>
            <Section
              title="What the gates decided"
              about="The newest first. Stream time is the time of the data."
              flush
            >
              <Loaded
                query={decisions}
                isEmpty={() => decided.length === 0}
                empty={
                  <Empty
                    title="No gate has judged a version yet"
                    command={`fairlead release ${name} 1`}
                  >
                    A candidate is judged before it is released.
                  </Empty>
                }
              >
                {() => <Decisions model={name} decisions={decided} />}
              </Loaded>
              <More query={decisions}>Show older decisions</More>
            </Section>
            <Section title="All moves of aliases" about="By the wall clock." flush>
              <Loaded query={moves}>{() => <MoveTable model={name} moves={moved} />}</Loaded>
              <More query={moves}>Show older moves</More>
            </Section>
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Skeletons() {
  return (
    <>
      <Section title="Summary">
        <Bone height={66} narrow={221} />
      </Section>
      <Section title="Versions">
        <Lines n={6} height={22} />
      </Section>
    </>
  );
}

interface SummaryProps {
  model: Model;
  moves: readonly Move[];
  decision: Decision | undefined;
  asOf: AsOf;
}

function Summary({ model, moves, decision, asOf }: SummaryProps) {
  const newest = Math.max(0, ...model.latest.map((v) => v.n));
  const aliased = (alias: string): { value: ReactNode; note?: ReactNode } => {
    const n = model.aliases[alias];
    if (n === undefined) return { value: UNKNOWN };
    const move = moves.find((m) => m.alias === alias);
    return {
      value: <VersionLink model={model.name} version={n} asOf={asOf} />,
      note: move && (
        <>
          since <Time at={move.at_ms} />
        </>
      ),
    };
  };
  return (
    <Section title="Summary">
      <Stats>
        <Stat label="Live" {...aliased("live")} />
        <Stat label="Candidate" {...aliased("candidate")} />
        <Stat
          label="Newest"
          value={
            newest === 0 ? UNKNOWN : <VersionLink model={model.name} version={newest} asOf={asOf} />
          }
        />
        <Stat
          label="Last gate"
          value={decision ? <StatusBadge state={decision.result} /> : UNKNOWN}
          note={
            decision && (
              <>
                <VersionLink model={model.name} version={decision.version} asOf={asOf} />,{" "}
                <Time at={decision.at} clock="stream" />
              </>
            )
          }
        />
        <Stat label="Registered" value={<Time at={model.created_ms} />} />
      </Stats>
    </Section>
  );
}

interface VersionsProps {
  project: string;
  model: Model;
  asOf: AsOf;
  decisions: readonly Decision[];
  /** There are no older decisions. */
  whole: boolean;
}

function Versions({ project, model, asOf, decisions, whole }: VersionsProps) {
  const newest = Math.max(0, ...model.latest.map((v) => v.n));
  const versions = useInfiniteQuery(versionsQuery(project, model.name, newest, asOf));
  const [chosen, setChosen] = useState<number[]>([]);
  const [a, b] = [...chosen].sort((x, y) => x - y);
  return (
    <Section
      title="Versions"
      about={chosen.length === 0 ? "Choose two to compare them." : undefined}
      flush
      actions={
        a !== undefined &&
        b !== undefined && (
          <Button
            size="compact-sm"
            leftSection={<GitCompareArrows size={14} aria-hidden />}
            renderRoot={(props) => (
              <Link
                {...props}
                from="/p/$project"
                to="/p/$project/models/$model/compare"
                params={{ model: model.name }}
                search={{ a, b }}
              />
            )}
          >
            Compare {a} and {b}
          </Button>
        )
      }
    >
      <Loaded
        query={versions}
        skeleton={
          <div style={{ padding: 16 }}>
            <Lines n={6} height={22} />
          </div>
        }
        isEmpty={(data) => data.pages.every((page) => page.length === 0)}
        empty={
          <Empty title="This model has no version" command="fairlead run">
            A pipeline registers its winner as the next version.
          </Empty>
        }
      >
        {(data) => (
          <DataTable
            label="Versions"
            columns={versionColumns(model.name, asOf, decisions, whole, chosen, (n) =>
              setChosen((was) =>
                was.includes(n) ? was.filter((x) => x !== n) : [...was.slice(-1), n],
              ),
            )}
            rows={data.pages.flatMap((page) => page.toReversed())}
            rowKey={(v) => String(v.n)}
          />
        )}
      </Loaded>
      <More query={versions}>Show older versions</More>
    </Section>
  );
}

function versionColumns(
  model: string,
  asOf: AsOf,
  decisions: readonly Decision[],
  whole: boolean,
  chosen: readonly number[],
  onChoose: (n: number) => void,
): Column<Version>[] {
  const byVersion = newestByVersion(decisions);
  const metric = judgedMetric(decisions);
  const columns: Column<Version>[] = [
    {
      id: "choose",
      head: "Compare",
      minor: true,
      cell: (v) => (
        <span className={css.check}>
          <Checkbox
            aria-label={`Compare version ${v.n}`}
            checked={chosen.includes(v.n)}
            onChange={() => onChoose(v.n)}
          />
        </span>
      ),
    },
    {
      id: "n",
      head: "Version",
      sort: (v) => v.n,
      cell: (v) => (
        <span className={css.inline}>
          <VersionLink model={model} version={v.n} asOf={asOf} />
          {v.aliases.map((alias) => (
            <span key={alias} className={css.alias} data-alias={alias}>
              {alias}
            </span>
          ))}
        </span>
      ),
    },
    {
      id: "state",
      head: "State",
      sort: (v) => v.state,
      cell: (v) => (
        <StatusBadge
          state={v.state}
          label={v.stage === "None" ? v.state : `${v.state}, ${v.stage}`}
        />
      ),
    },
    {
      id: "gate",
      head: "Gate",
      sort: (v) => byVersion.get(v.n)?.result,
      cell: (v) => {
        const decision = byVersion.get(v.n);
        // Of a version whose decisions may not have come yet, nothing is said.
        return decision || whole ? <Judged decision={decision} /> : UNKNOWN;
      },
    },
  ];
  if (metric !== undefined) {
    columns.push({
      id: "metric",
      head: `${metric} on the holdout`,
      numeric: true,
      sort: (v) => operand(byVersion.get(v.n), `candidate.${metric}`),
      cell: (v) => value(operand(byVersion.get(v.n), `candidate.${metric}`)),
    });
  }
  return [
    ...columns,
    { id: "made", head: "Made by", minor: true, sort: madeBy, cell: madeBy },
    {
      id: "created",
      head: "Made",
      sort: (v) => v.created_ms,
      cell: (v) => <Time at={v.created_ms} />,
    },
  ];
}

function Judged({ decision }: { decision: Decision | undefined }) {
  if (!decision) return <span className={css.short}>not judged</span>;
  const failed = failedChecks(decision);
  return (
    <span className={css.inline}>
      <StatusBadge state={decision.result} />
      {failed.length > 0 && <span className={css.dim}>{few(failed)}</span>}
    </span>
  );
}

interface AliasesProps {
  project: string;
  model: Model;
  moves: readonly Move[];
  asOf: AsOf;
}

function Aliases({ project, model, moves, asOf }: AliasesProps) {
  const { may, why } = useMay("track");
  const locked = pastWhy(asOf) || (may ? "" : why);
  const [dialog, setDialog] = useState<"set" | { remove: string }>();
  const newest = Math.max(0, ...model.latest.map((v) => v.n));
  const rows = Object.entries(model.aliases).sort(([x], [y]) => x.localeCompare(y));
  const columns: Column<[string, number]>[] = [
    {
      id: "alias",
      head: "Alias",
      cell: ([alias]) => (
        <span className={css.alias} data-alias={alias}>
          {alias}
        </span>
      ),
    },
    {
      id: "version",
      head: "Version",
      cell: ([, n]) => <VersionLink model={model.name} version={n} asOf={asOf} />,
    },
    {
      id: "since",
      head: "Since",
      cell: ([alias]) => <Time at={moves.find((m) => m.alias === alias)?.at_ms} />,
    },
    {
      id: "by",
      head: "By",
      minor: true,
      cell: ([alias]) => actorName(moves.find((m) => m.alias === alias)?.actor ?? UNKNOWN),
    },
    {
      id: "remove",
      head: "Change",
      cell: ([alias]) =>
        alias === "live" ? (
          <span className={css.dim}>by releases</span>
        ) : (
          <GuardedButton
            why={locked}
            variant="subtle"
            color="red"
            size="compact-xs"
            aria-label={`Remove the alias ${alias}`}
            onClick={() => setDialog({ remove: alias })}
          >
            Remove
          </GuardedButton>
        ),
    },
  ];
  return (
    <>
      {rows.length === 0 ? (
        <Empty title="No version has an alias" />
      ) : (
        <DataTable label="Aliases" columns={columns} rows={rows} rowKey={([alias]) => alias} />
      )}
      {newest > 0 && (
        <div className={css.more}>
          <GuardedButton why={locked} variant="default" onClick={() => setDialog("set")}>
            Give version {newest} an alias
          </GuardedButton>
        </div>
      )}
      {dialog === "set" && (
        <AliasDialog
          project={project}
          model={model.name}
          version={newest}
          aliases={model.aliases}
          onClose={() => setDialog(undefined)}
        />
      )}
      {typeof dialog === "object" && (
        <UnaliasDialog
          project={project}
          model={model.name}
          alias={dialog.remove}
          version={model.aliases[dialog.remove] ?? 0}
          onClose={() => setDialog(undefined)}
        />
      )}
    </>
  );
}

function Decisions({ model, decisions }: { model: string; decisions: readonly Decision[] }) {
  const metric = judgedMetric(decisions);
  const columns: Column<Decision>[] = [
    {
      id: "at",
      head: "Stream time",
      sort: (d) => Date.parse(d.at),
      cell: (d) => <Time at={d.at} clock="stream" />,
    },
    {
      id: "version",
      head: "Version",
      sort: (d) => d.version,
      cell: (d) => <VersionLink model={model} version={d.version} />,
    },
    {
      id: "result",
      head: "Result",
      sort: (d) => d.result,
      cell: (d) => <Judged decision={d} />,
    },
    ...(metric === undefined
      ? []
      : [
          {
            id: "candidate",
            head: `candidate.${metric}`,
            numeric: true,
            sort: (d: Decision) => operand(d, `candidate.${metric}`),
            cell: (d: Decision) => value(operand(d, `candidate.${metric}`)),
          },
          {
            id: "live",
            head: `live.${metric}`,
            numeric: true,
            sort: (d: Decision) => operand(d, `live.${metric}`),
            cell: (d: Decision) => value(operand(d, `live.${metric}`)),
          },
        ]),
    {
      id: "baseline",
      head: "Compared with",
      minor: true,
      cell: (d) =>
        d.baseline === undefined ? (
          <span className={css.dim}>nothing was live</span>
        ) : (
          <VersionLink model={model} version={d.baseline} />
        ),
    },
    { id: "created", head: "Decided", minor: true, cell: (d) => <Time at={d.created} /> },
  ];
  return <DataTable label="Decisions" columns={columns} rows={decisions} rowKey={(d) => d.id} />;
}

function Remove(props: { project: string; model: string; locked: string }) {
  const [open, setOpen] = useState(false);
  const navigate = useNavigate();
  const { may, why } = useMay("track");
  return (
    <>
      <GuardedButton
        why={props.locked || (may ? "" : why)}
        variant="default"
        leftSection={<Trash2 size={14} aria-hidden />}
        onClick={() => setOpen(true)}
      >
        Delete
      </GuardedButton>
      {open && (
        <DeleteModelDialog
          {...props}
          onClose={() => setOpen(false)}
          onDone={() =>
            void navigate({ to: "/p/$project/models", params: { project: props.project } })
          }
        />
      )}
    </>
  );
}
