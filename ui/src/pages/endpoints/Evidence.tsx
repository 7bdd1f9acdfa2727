import { Check, Circle, CircleDot, CircleHelp, CircleX, X, type LucideIcon } from "lucide-react";
import type { ReactNode } from "react";
import { Figure } from "../../charts/Figure";
import { LineChart, LineTable, type Line, type Mark } from "../../charts/LineChart";
import { DataTable, type Column } from "../../components/DataTable";
import { Columns, Section } from "../../components/Page";
import { CaseLink, VersionLink } from "../../components/links";
import { Facts } from "../../components/Stat";
import { Time } from "../../components/Time";
import type { Comparison, Finding, History, Turn } from "../../data/rollouts";
import { count, duration, percent, plural, UNKNOWN, value } from "../../format/number";
import { utc } from "../../format/time";
import css from "./Evidence.module.css";
import { endOf, stepsOf, type Step } from "./steps";
import { asPercent, BLUE, colorOf, environmentOf, GREY } from "./words";

interface EvidenceProps {
  history: History;
  /** Without the charts and tables. */
  short?: boolean;
}

/** The steps of a rollout, each with the numbers that it was decided on. */
export function Evidence({ history, short = false }: EvidenceProps) {
  const { rollout, comparison } = history;
  return (
    <div className={css.all}>
      {rollout.state === "waiting_human" && (
        <p className={css.asks} role="status">
          <CircleHelp size={16} aria-hidden /> It asks a human: {rollout.reason}
        </p>
      )}
      {rollout.state === "finished" && rollout.outcome !== "promoted" && (
        <p className={css.ended}>
          <CircleX size={16} aria-hidden />{" "}
          <span>
            <strong>{endOf(history)}:</strong> {rollout.reason}
          </span>
        </p>
      )}
      <Steps history={history} />
      {rollout.state !== "finished" && <Waits history={history} />}
      {!short && comparison && history.findings.length > 0 && (
        <>
          <Charts history={history} comparison={comparison} />
          <FindingTable history={history} />
        </>
      )}
      {!short && history.findings.length === 0 && rollout.strategy !== "replace" && (
        <p className={css.none}>
          There is no evidence yet. The first comes a day of stream time after the rollout began,
          once its labels are due.
        </p>
      )}
    </div>
  );
}

const signs: Record<Step["state"], LucideIcon> = {
  passed: Check,
  present: CircleDot,
  ended: X,
  ahead: Circle,
  never: Circle,
};
const words: Record<Step["state"], string> = {
  passed: "passed",
  present: "now",
  ended: "ended here",
  ahead: "still to come",
  never: "not reached",
};

function Steps({ history }: { history: History }) {
  return (
    <ol className={css.steps} aria-label="Steps of the rollout">
      {stepsOf(history).map((step) => {
        const Sign = signs[step.state];
        return (
          <li key={step.name} className={css.step} data-state={step.state}>
            <div className={css.head}>
              <span className={css.sign}>
                <Sign size={14} aria-hidden />
              </span>
              <strong>{step.name}</strong>
              {!step.end && <span className={css.dim}>{words[step.state]}</span>}
            </div>
            {step.began && (
              <div className={css.dim}>
                {step.end ? "at" : "from"} <Time at={step.began} clock="stream" />
                {step.took !== undefined && `, for ${duration(step.took)}`}
              </div>
            )}
            {step.labels !== undefined && history.needed > 0 && (
              <div>
                {step.labels >= history.needed
                  ? `${plural(step.labels, "label")}, ${count(history.needed)} were needed`
                  : `${count(step.labels)} of ${plural(history.needed, "label")}`}
                <Progress share={step.labels / history.needed} />
              </div>
            )}
            {step.evidence && <Numbers paired={step.evidence} history={history} />}
            {step.why && <div className={css.why}>{step.why}</div>}
          </li>
        );
      })}
    </ol>
  );
}

function Progress({ share }: { share: number }) {
  return (
    <svg viewBox="0 0 100 4" preserveAspectRatio="none" className={css.progress} aria-hidden>
      <rect width={100} height={4} className={css.rest} />
      <rect width={100 * Math.min(1, share)} height={4} className={css.done} />
    </svg>
  );
}

interface NumbersProps {
  paired: Turn["evidence"];
  history: History;
}

/** The losses and the test, in words. */
function Numbers({ paired, history }: NumbersProps) {
  const { comparison } = history;
  if (paired.labels === 0 && !paired.failed) return null;
  return (
    <div className={css.numbers}>
      <div>
        {paired.labels > 0 && <>{against(paired)} over </>}
        {plural(paired.labels, "label")}
      </div>
      {comparison && (
        <div className={css.dim}>
          wealth {value(paired.wealth, 3)} of {value(comparison.threshold, 3)} after{" "}
          {plural(paired.blocks, "day")}
        </div>
      )}
      {(paired.failed ?? 0) > 0 && (
        <div className={css.bad}>
          {count(paired.failed)} of {plural(paired.requests ?? 0, "request")} not answered
        </div>
      )}
    </div>
  );
}

/** "loss 22 % below live" */
function against(p: { loss_candidate: number; loss_live: number }): string {
  const relative = relativeLoss(p);
  if (relative === null) return "no loss to compare with";
  if (relative === 0) return "loss as live";
  return `loss ${percent(Math.abs(relative), 2)} ${relative < 0 ? "below" : "above"} live`;
}

function relativeLoss(p: { loss_candidate: number; loss_live: number }): number | null {
  return p.loss_live > 0 ? p.loss_candidate / p.loss_live - 1 : null;
}

/** What comes next, and when. */
function Waits({ history }: { history: History }) {
  const { comparison, due } = history;
  const parts: [string, string | undefined][] = [
    ["Next look at the losses", comparison?.next_look],
    ["Next look at failures", comparison?.next_failures],
    ["Asks a human", due],
  ];
  return (
    <Facts
      items={parts.flatMap(([name, at]) =>
        at
          ? [
              [
                name,
                <span key={name}>
                  <Time at={at} clock="stream" /> UTC, stream time
                </span>,
              ] as [string, ReactNode],
            ]
          : [],
      )}
    />
  );
}

interface ChartsProps {
  history: History;
  comparison: Comparison;
}

function Charts({ history, comparison }: ChartsProps) {
  const { rollout, findings, turns } = history;
  const x = findings.map((f) => Date.parse(f.to));
  const marks: Mark[] = turns
    .filter((t) => t.what === "stepped" && Date.parse(t.at) > 0)
    .map((t) => ({ x: Date.parse(t.at), label: asPercent(t.percent) }));
  const limit = rollout.to % 8 === 0 ? BLUE : GREY; // every eighth version is grey itself
  const losses: Line[] = [
    {
      label: `version ${rollout.to} against version ${rollout.from}`,
      y: findings.map(relativeLoss),
      color: colorOf(rollout.to),
    },
    {
      label: "tolerated",
      y: findings.map((f) => (f.loss_live > 0 ? f.loss_tolerated / f.loss_live - 1 : null)),
      color: limit,
    },
  ];
  const wealth: Line[] = [
    {
      label: "wealth",
      y: findings.map((f) => f.wealth),
      color: colorOf(rollout.to),
    },
    {
      label: comparison.decides ? "rolls back" : "would reject",
      y: findings.map(() => comparison.threshold),
      color: limit,
    },
  ];
  const axis = {
    x,
    marks,
    group: "evidence",
    time: "stream" as const,
    height: 170,
    legend: true,
  };
  const table = { x: "Until (stream time)", shared: x, formatX: utc };
  return (
    <Columns min={360}>
      <Figure
        title={`Loss (${comparison.metric}) against live, cumulated`}
        describe={`The loss of version ${rollout.to} relative to that of version ${rollout.from}, and what is tolerated`}
        table={() => (
          <LineTable {...table} label="Loss against live" lines={losses} formatY={signed} />
        )}
      >
        <LineChart
          {...axis}
          describe="Loss relative to the live version, by day"
          lines={losses}
          formatY={signed}
        />
      </Figure>
      <Figure
        title={`Sequential test, alpha ${value(comparison.alpha)}: ${
          comparison.decides ? "rolled back" : "rejected"
        } at ${value(comparison.threshold, 3)}`}
        describe="The wealth of the bet on a worse candidate, by day, and where the test rejects"
        table={() => <LineTable {...table} label="Wealth" lines={wealth} />}
      >
        <LineChart {...axis} describe="Wealth of the test, by day" lines={wealth} logY />
      </Figure>
    </Columns>
  );
}

function signed(share: number): string {
  return `${share > 0 ? "+" : ""}${percent(share, 3)}`;
}

/** A finding with what its own block added. */
interface Block {
  finding: Finding;
  labels: number;
  candidate: number;
  live: number;
}

function blocksOf(findings: readonly Finding[]): Block[] {
  return findings.map((f, i) => {
    const before = findings[i - 1];
    return {
      finding: f,
      labels: f.labels - (before?.labels ?? 0),
      candidate: f.loss_candidate - (before?.loss_candidate ?? 0),
      live: f.loss_live - (before?.loss_live ?? 0),
    };
  });
}

function FindingTable({ history }: { history: History }) {
  const { rollout } = history;
  const columns: Column<Block>[] = [
    {
      id: "to",
      head: "Block until",
      sort: (b) => b.finding.to,
      cell: (b) => <Time at={b.finding.to} clock="stream" />,
    },
    {
      id: "labels",
      head: "Labels",
      numeric: true,
      sort: (b) => b.labels,
      cell: (b) => count(b.labels),
    },
    {
      id: "candidate",
      head: `Loss of ${rollout.to}`,
      numeric: true,
      cell: (b) => value(b.candidate),
    },
    { id: "live", head: `Loss of ${rollout.from}`, numeric: true, cell: (b) => value(b.live) },
    {
      id: "all",
      head: "Cumulated, against live",
      numeric: true,
      sort: (b) => relativeLoss(b.finding),
      cell: (b) => {
        const r = relativeLoss(b.finding);
        return r === null ? UNKNOWN : signed(r);
      },
    },
    {
      id: "wealth",
      head: "Wealth",
      numeric: true,
      sort: (b) => b.finding.wealth,
      cell: (b) => value(b.finding.wealth, 3),
    },
    {
      id: "failed",
      head: "Not answered",
      numeric: true,
      minor: true,
      cell: (b) => `${count(b.finding.failed ?? 0)} of ${count(b.finding.requests ?? 0)}`,
    },
    {
      id: "note",
      head: "Note",
      minor: true,
      cell: (b) => b.finding.note || (b.finding.rejected ? "rejected" : ""),
    },
  ];
  return (
    <DataTable
      label="Paired losses, block by block"
      columns={columns}
      rows={blocksOf(history.findings)}
      rowKey={(b) => b.finding.evidence ?? b.finding.to}
    />
  );
}

const happened: Record<string, string> = {
  started: "began",
  stepped: "moved on",
  asked: "asked a human",
  finished: "ended",
};

/** What happened to a rollout, with who did it and when by both clocks. */
export function TurnTable({ turns }: { turns: readonly Turn[] }) {
  const columns: Column<Turn>[] = [
    { id: "what", head: "What", cell: (t) => happened[t.what] ?? t.what },
    {
      id: "at",
      head: "Stream time",
      cell: (t) => <Time at={t.at} clock="stream" />,
    },
    { id: "time", head: "Wall time", cell: (t) => <Time at={t.time} /> },
    {
      id: "percent",
      head: "Share",
      numeric: true,
      cell: (t) => (t.percent > 0 ? asPercent(t.percent) : UNKNOWN),
    },
    { id: "labels", head: "Labels", numeric: true, cell: (t) => count(t.evidence.labels) },
    {
      id: "by",
      head: "By",
      minor: true,
      cell: (t) => (t.actor ? t.actor.replace(":", " ") : UNKNOWN),
    },
    { id: "why", head: "Why", cell: (t) => <span className={css.reason}>{t.reason}</span> },
  ];
  return (
    <DataTable
      label="Turns of the rollout"
      columns={columns}
      rows={turns}
      rowKey={(t) => t.what + t.step}
    />
  );
}

/** What a rollout was asked to do. */
export function RolloutFacts({ history }: { history: History }) {
  const { rollout: r, comparison: c } = history;
  const items: [string, ReactNode][] = [
    [
      "Model",
      <span key="m">
        {r.model} <VersionLink model={r.model} version={r.to} />
      </span>,
    ],
    ["Environment", environmentOf(r.endpoint)],
    [
      "Steps",
      history.steps.length > 0 ? history.steps.map(asPercent).join(" → ") : `none: ${r.strategy}`,
    ],
    [
      "Each step holds for",
      history.needed > 0
        ? `${plural(history.needed, "label")}${history.at_most_ms > 0 ? `, and asks a human after ${duration(history.at_most_ms)}` : ""}`
        : "nothing",
    ],
  ];
  if (c) {
    items.push([
      c.decides ? "Rolled back when" : "Told when",
      `${c.metric} is shown to be worse by more than ${percent(c.worse_by)}, alpha ${value(c.alpha)}; that takes ${c.fewest_blocks} days with labels at least`,
    ]);
    items.push(["Labels are waited for", duration(c.label_delay_ms)]);
  }
  if (r.note) items.push(["Note", r.note]);
  if (r.case) items.push(["Case", <CaseLink key="case" id={r.case} />]);
  items.push(["Rollout", <code key="id">{r.id}</code>]);
  return (
    <Section title="Plan" about="as the file said when it began">
      <Facts items={items} />
    </Section>
  );
}
