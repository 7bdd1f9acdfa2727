import { Board, Lane, type Zoom } from "../../charts/Board";
import { Figure } from "../../charts/Figure";
import {
  LineLegend,
  RedMark,
  ShareBars,
  WindowChart,
  type WindowLine,
} from "../../charts/WindowChart";
import { StatusBadge } from "../../components/Badge";
import { DataTable, type Column } from "../../components/DataTable";
import { Time } from "../../components/Time";
import type { Monitoring, PerformanceHistory, Stretch } from "../../data/monitoring";
import { count, duration, percent, plural, value } from "../../format/number";
import css from "./Boards.module.css";
import { stretchText } from "./cells";
import { extent, Lanes, reignsOf } from "./lanes";
import { States } from "./States";

/** The share of labels below which a window is unknown. */
const ENOUGH = 0.5;

type Figures = NonNullable<Stretch["worst"]["figures"]>[number];

const spanOf = (s: Stretch) => ({ from: Date.parse(s.from), to: Date.parse(s.to) });

/** The realised metric of what was live, its limit, and each other version that was asked. */
export function linesOf(history: PerformanceHistory): WindowLine[] {
  const live: WindowLine = {
    label: "live version",
    color: 1,
    points: history.stretches.map((s) => ({
      ...spanOf(s),
      y: s.worst.state === "unknown" ? null : s.worst.value,
      red: s.worst.state === "red",
    })),
  };
  const limit: WindowLine = {
    label: "limit of the live version",
    color: "limit",
    points: history.stretches.map((s) => ({
      ...spanOf(s),
      y: s.worst.state === "unknown" ? null : s.worst.limit,
    })),
  };
  return [live, ...others(history.stretches, (f) => f.value), limit];
}

/** What the answers of each version were worth. */
export function worthOf(history: PerformanceHistory): WindowLine[] {
  const live: WindowLine = {
    label: "live version",
    color: 1,
    points: history.stretches.map((s) => ({
      ...spanOf(s),
      y: figureOf(s, s.worst.version)?.worth ?? null,
    })),
  };
  return [live, ...others(history.stretches, (f) => f.worth ?? null)].filter((l) =>
    l.points.some((p) => p.y !== null),
  );
}

/** Of how many windows a version must be asked to have a line of its own. */
const LASTING = 0.25;

/**
 * The versions that were asked beside the live one: each that went on for long, such as a
 * shadow that stays as it was, and those that were only tried together.
 */
function others(stretches: Stretch[], of: (f: Figures) => number | null): WindowLine[] {
  const beside = stretches.map((s) =>
    (s.worst.figures ?? []).filter((f) => f.version !== s.worst.version && of(f) !== null),
  );
  const asked = new Map<number, number>();
  for (const f of beside.flat()) asked.set(f.version, (asked.get(f.version) ?? 0) + 1);
  const lasting = [...asked].filter(([, n]) => n >= LASTING * stretches.length).map(([v]) => v);
  const line = (label: string, color: number, pick: (f: Figures) => boolean): WindowLine => ({
    label,
    color,
    points: stretches.map((s, i) => {
      const figure = beside[i]?.find(pick);
      return { ...spanOf(s), y: figure ? of(figure) : null };
    }),
  });
  const lines = lasting.map((v, i) =>
    line(`version ${v}, beside the live one`, [3, 6, 7, 8][i % 4] ?? 3, (f) => f.version === v),
  );
  if (asked.size === lasting.length) return lines;
  return [...lines, line("versions on trial", 4, (f) => !lasting.includes(f.version))];
}

interface PerformanceBoardProps {
  history: PerformanceHistory;
  of: Monitoring;
  onZoom?: Zoom;
  /** The incident that the page is about. */
  incident?: string;
}

/** Error over time by version, the share of labels, and what happened beside it. */
export function PerformanceBoard({ history, of, onZoom, incident }: PerformanceBoardProps) {
  const { stretches, pending } = history;
  const lines = linesOf(history);
  const worth = worthOf(history);
  const { from, to } = extent(stretches, pending?.to);
  const marks = reignsOf(stretches).map((r) => r.from);
  const metric = history.metric ?? "metric";
  const shares = stretches.map((s) => ({ ...spanOf(s), y: s.worst.coverage }));
  if (pending?.labelled != null && pending.requests > 0) {
    shares.push({
      from: Date.parse(pending.from),
      to: Date.parse(pending.to),
      y: pending.labelled / pending.requests,
    });
  }
  const reds = stretches.filter((s) => s.worst.state === "red").length;
  return (
    <>
      <Figure
        title={`${metric}${unit(history.unit)}, ${history.higher_is_better ? "higher" : "lower"} is better`}
        describe={`Realised ${metric} of ${plural(lines.length - 1, "line")} over ${plural(stretches.length, "window")}, ${reds} red, with the share of labels that had arrived`}
        table={() => <Table history={history} />}
      >
        <Board from={from} to={to} clock="event time" onZoom={onZoom}>
          {(frame) => (
            <>
              <Lanes frame={frame} stretches={stretches} of={of} kind="decay" current={incident} />
              <Lane label="windows">
                <States frame={frame} stretches={stretches} />
              </Lane>
              <WindowChart
                frame={frame}
                label={metric}
                lines={lines}
                marks={marks}
                height={190}
                format={(y) => value(y, 3)}
              />
              {worth.length > 0 && (
                <WindowChart
                  frame={frame}
                  label={`value${history.currency ? `, ${history.currency}` : ""}`}
                  lines={worth}
                  marks={marks}
                  height={120}
                  format={(y) => value(y, 3)}
                />
              )}
              <ShareBars frame={frame} label="labels arrived" points={shares} enough={ENOUGH} />
            </>
          )}
        </Board>
        <LineLegend lines={lines}>
          <li>
            <RedMark /> red window
          </li>
        </LineLegend>
      </Figure>
      <div className={css.under}>
        <span className={css.dim}>
          A window with labels for less than {percent(ENOUGH)} of its requests is unknown.
          {history.step_ms > 0 &&
            ` Each point is the worst window of ${duration(history.step_ms)}.`}
        </span>
      </div>
      {worth[0] && history.step_ms === 0 && (
        <p className={css.pending}>
          What answered in these windows was worth{" "}
          <strong>
            {value(worth[0].points.reduce((sum, p) => sum + (p.y ?? 0), 0))} {currency(history)}
          </strong>
          , by <code>goal.value</code> and the labels that had arrived.
        </p>
      )}
      {pending && (
        <p className={css.pending}>
          {plural(pending.requests, "request")} since <Time at={pending.from} clock="stream" />
          {pending.labelled === null
            ? ""
            : `, ${count(pending.labelled)} with their label (${percent(pending.requests === 0 ? 0 : pending.labelled / pending.requests)})`}
          ; the first window of them is judged at <Time at={pending.judged_at} clock="stream" />.
        </p>
      )}
    </>
  );
}

function unit(u: string | undefined): string {
  return u === "label" ? ", in the label's unit" : u === "nat" ? ", in nats" : "";
}

const figureOf = (s: Stretch, version: number) =>
  s.worst.figures?.find((f) => f.version === version);

/** What the worth of answers is counted in. */
const currency = (history: PerformanceHistory) => history.currency ?? "value";

const ofVersion = (
  head: string,
  figure: (s: Stretch) => number | null | undefined,
): Column<Stretch> => ({
  id: head,
  head,
  numeric: true,
  cell: (s) => value(figure(s), 3),
  sort: figure,
});

function Table({ history }: { history: PerformanceHistory }) {
  const versions = [
    ...new Set(history.stretches.flatMap((s) => s.worst.figures?.map((f) => f.version) ?? [])),
  ].sort((a, b) => a - b);
  const columns: Column<Stretch>[] = [
    { id: "when", head: "Window", cell: stretchText, sort: (s) => Date.parse(s.from) },
    { id: "version", head: "Live", numeric: true, cell: (s) => s.worst.version },
    {
      id: "state",
      head: "State",
      cell: (s) => <StatusBadge state={s.worst.state} />,
      sort: (s) => s.worst.state,
    },
    {
      id: "value",
      head: history.metric ?? "Value",
      numeric: true,
      cell: (s) => (s.worst.state === "unknown" ? "–" : value(s.worst.value, 3)),
      sort: (s) => (s.worst.state === "unknown" ? null : s.worst.value),
    },
    {
      id: "limit",
      head: "Limit",
      numeric: true,
      cell: (s) => (s.worst.state === "unknown" ? "–" : value(s.worst.limit, 3)),
    },
    ...versions.map((n) => ofVersion(`v${n}`, (s) => figureOf(s, n)?.value)),
    ...versions
      .filter((n) => history.stretches.some((s) => figureOf(s, n)?.worth != null))
      .map((n) => ofVersion(`v${n}, ${currency(history)}`, (s) => figureOf(s, n)?.worth)),
    {
      id: "labels",
      head: "Labels",
      numeric: true,
      cell: (s) =>
        s.worst.requests
          ? `${count(s.worst.labelled ?? 0)} of ${count(s.worst.requests)}`
          : percent(s.worst.coverage),
      sort: (s) => s.worst.coverage,
    },
    { id: "lag", head: "Late by", numeric: true, cell: (s) => duration(s.worst.lag_ms) },
    {
      id: "why",
      head: "Why",
      cell: (s) => <span className={css.reason}>{s.worst.reason ?? ""}</span>,
    },
  ];
  return (
    <DataTable
      label={`Realised ${history.metric ?? "metric"} in each window`}
      rows={history.stretches}
      rowKey={(s) => `${s.from} ${s.worst.version}`}
      initialSort="-when"
      columns={columns}
    />
  );
}
