import { useWidth } from "../../components/width";
import { useQuery } from "@tanstack/react-query";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useRef } from "react";
import { StatusBadge } from "../../components/Badge";
import {
  isFinal,
  pipelineWhys,
  type PipelineRun,
  type PipelineStep,
  type PipelineWhy,
} from "../../data/pipelines";
import { duration } from "../../format/number";
import { absolute } from "../../format/time";
import { stepName } from "../../data/pipelines";
import { span, stepLabel, whyShort } from "./steps";
import css from "./Timeline.module.css";

interface TimelineProps {
  project: string;
  run: PipelineRun;
  steps: readonly PipelineStep[];
  tries: number;
  /** When what is shown was true, in milliseconds since 1970: what runs, ends there. */
  now: number;
  current: string | undefined;
  onPick: (step: string) => void;
}

const ROW = 32;

/**
 * The steps of a run over wall time: a table, in whose last column stands when each of
 * them waited and ran.
 */
export function Timeline({ project, run, steps, tries, now, current, onPick }: TimelineProps) {
  const box = useRef<HTMLDivElement>(null);
  const whys = useQuery(pipelineWhys(project, run.id, !isFinal(run.state)));
  const { ref: measure, width } = useWidth<HTMLTableCellElement>();
  const begun = Date.parse(run.started_at ?? run.created_at);
  const spans = steps.map((s) => span(s, now));
  const last = Math.max(begun + 1, ...spans.map((s) => s.ended));
  const ready = spans.length > 0 ? Math.min(...spans.map((s) => s.queued)) : last;
  const scale = axis(begun, last, width);
  const rows = useVirtualizer({
    count: steps.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: 20,
  });
  const shown = rows.getVirtualItems();
  const before = shown[0]?.start ?? 0;
  const after = rows.getTotalSize() - (shown.at(-1)?.end ?? 0);
  const why = new Map(whys.data?.items.map((w) => [stepName({ name: w.step, try: w.try }), w]));
  return (
    <>
      <div
        ref={box}
        className={css.box}
        role="region"
        aria-label="Timeline of the steps"
        tabIndex={0}
      >
        <table
          className={css.table}
          aria-label="Timeline of the steps"
          aria-rowcount={steps.length + 1}
        >
          <thead>
            <tr>
              <th scope="col" className={css.step}>
                Step
              </th>
              <th scope="col" className={css.state}>
                State
              </th>
              <th scope="col" className={css.why}>
                Why
              </th>
              <th scope="col" className={css.number}>
                Waited
              </th>
              <th scope="col" className={css.number}>
                Ran
              </th>
              <th scope="col" className={css.time} ref={measure} aria-label="Wall time">
                <span className={css.axis}>
                  {scale.ticks.map((t) => (
                    <span key={t} className={css.tick} style={{ left: at(t, scale.end) }}>
                      {duration(t)}
                    </span>
                  ))}
                </span>
              </th>
            </tr>
          </thead>
          <tbody>
            {before > 0 && (
              <tr aria-hidden>
                <td colSpan={6} className={css.room} style={{ height: before }} />
              </tr>
            )}
            {shown.map((row) => {
              const step = steps[row.index];
              const s = spans[row.index];
              if (!step || !s) return null;
              const name = stepName(step);
              return (
                <tr
                  key={step.id}
                  aria-rowindex={row.index + 2}
                  aria-current={name === current || undefined}
                  data-current={name === current || undefined}
                >
                  <th scope="row" className={css.step}>
                    <button
                      type="button"
                      className={css.pick}
                      data-tip={told(step, now)}
                      onClick={() => onPick(name)}
                    >
                      {stepLabel(step, tries)}
                    </button>
                  </th>
                  <td className={css.state}>
                    <StatusBadge state={step.state} />
                  </td>
                  <td className={css.why}>{reason(why.get(name))}</td>
                  <td className={css.number}>{duration(s.started - s.queued)}</td>
                  <td className={css.number}>
                    {step.state === "cached" ? "not run" : duration(s.ended - s.started)}
                  </td>
                  <td className={css.time}>
                    <Bar step={step} from={begun} end={scale.end} now={now} ticks={scale.ticks} />
                  </td>
                </tr>
              );
            })}
            {after > 0 && (
              <tr aria-hidden>
                <td colSpan={6} className={css.room} style={{ height: after }} />
              </tr>
            )}
          </tbody>
        </table>
      </div>
      <Legend environment={ready - begun} />
    </>
  );
}

function reason(why: PipelineWhy | undefined) {
  if (!why) return null;
  const text = whyShort(why);
  return (
    <span className={css.cut} title={text}>
      {text}
    </span>
  );
}

function at(ms: number, end: number): string {
  return `${(100 * ms) / end}%`;
}

interface BarProps {
  step: PipelineStep;
  from: number;
  end: number;
  now: number;
  ticks: number[];
}

/** How long a step waited and ran, and since when. */
function told(step: PipelineStep, now: number): string {
  const s = span(step, now);
  return [
    s.started > s.queued && `waited ${duration(s.started - s.queued)}`,
    step.state === "cached" ? "from the cache" : `ran ${duration(s.ended - s.started)}`,
    `from ${absolute(s.started)}`,
  ]
    .filter(Boolean)
    .join(", ");
}

function Bar({ step, from, end, now, ticks }: BarProps) {
  const s = span(step, now);
  return (
    <span data-tip={told(step, now)} className={css.track}>
      {ticks.map((t) => (
        <span key={t} className={css.grid} style={{ left: at(t, end) }} />
      ))}
      {s.started > s.queued && (
        <span
          className={css.waited}
          style={{ left: at(s.queued - from, end), width: at(s.started - s.queued, end) }}
        />
      )}
      {step.state === "cached" ? (
        <span className={css.hit} style={{ left: at(s.started - from, end) }} />
      ) : (
        <span
          className={`${css.ran} ${css[step.state] ?? ""}`}
          style={{ left: at(s.started - from, end), width: at(s.ended - s.started, end) }}
        />
      )}
    </span>
  );
}

function Legend({ environment }: { environment: number }) {
  return (
    <div className={css.legend}>
      <span>
        <span className={`${css.key} ${css.waited}`} aria-hidden /> waited for a place to run
      </span>
      <span>
        <span className={`${css.key} ${css.ran} ${css.succeeded}`} aria-hidden /> ran
      </span>
      <span>
        <span className={`${css.key} ${css.ran} ${css.failed}`} aria-hidden /> failed
      </span>
      <span>
        <span className={css.hitKey} aria-hidden /> from the cache
      </span>
      {environment > 0 && (
        <span>Before the first step: {duration(environment)} for code and environment</span>
      )}
    </div>
  );
}

// One of these fits: 1 ms to 4 weeks.
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const intervals = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 15, 30].map((n) => n * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * MINUTE),
  ...[1, 2, 3, 6, 12].map((n) => n * HOUR),
  ...[1, 2, 7, 14, 28].map((n) => n * DAY),
];

/** The room that a tick's text takes, in pixels. */
const TICK_PX = 72;

/** The ticks of an axis from begin to end, in milliseconds after begin. */
export function axis(begin: number, end: number, width: number): { ticks: number[]; end: number } {
  const length = end - begin;
  const most = Math.max(2, Math.floor((width || 480) / TICK_PX));
  const every = intervals.find((n) => length / n <= most) ?? 28 * DAY;
  const ticks: number[] = [];
  for (let t = 0; t < length; t += every) ticks.push(t);
  return { ticks, end: length * 1.02 };
}
