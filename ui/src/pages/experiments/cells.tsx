import {
  ChevronDown,
  ChevronRight,
  CircleCheck,
  CircleDashed,
  CircleDot,
  CircleSlash,
  CircleX,
  type LucideIcon,
} from "lucide-react";
import type { Group, MetricCell, Sum, TableRow } from "../../data/runtable";
import { count, duration, plural, UNKNOWN, value } from "../../format/number";
import { absolute, ago } from "../../format/time";
import css from "./cells.module.css";
import type { RunsRow } from "./useRows";
import { keyOf, kindOf, type Show } from "./view";

const signs: Record<string, [LucideIcon, string | undefined]> = {
  RUNNING: [CircleDot, css.running],
  SCHEDULED: [CircleDashed, css.dim],
  FINISHED: [CircleCheck, css.good],
  FAILED: [CircleX, css.bad],
  KILLED: [CircleSlash, css.bad],
};

/** A run's state as a sign, with its word for who cannot see it. */
export function StatusSign({ status }: { status: string }) {
  const [Sign, colour] = signs[status] ?? [CircleDashed, css.dim];
  return (
    <span className={`${css.sign} ${colour ?? ""}`} role="img" aria-label={status.toLowerCase()}>
      <Sign size={14} aria-hidden />
    </span>
  );
}

/** What a metric has come to, as it is asked for. */
function shownValue(m: MetricCell, show: Show): number | null | undefined {
  switch (show) {
    case "best":
      return m.best;
    case "min":
      return m.min;
    case "max":
      return m.max;
    default:
      return m.last;
  }
}

/** A few points as a line, without axes. */
export function Curve({ values, name }: { values: (number | null)[]; name: string }) {
  const known = values.filter((v): v is number => v !== null);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const span = high - low || 1;
  const [w, h] = [64, 20];
  let path = "";
  let pen = "M";
  values.forEach((v, i) => {
    if (v === null) {
      pen = "M";
      return;
    }
    const x = values.length === 1 ? w / 2 : (i / (values.length - 1)) * w;
    path += `${pen}${x.toFixed(1)} ${(h - 2 - ((v - low) / span) * (h - 4)).toFixed(1)}`;
    pen = "L";
  });
  return (
    <svg
      width={w}
      height={h}
      viewBox={`0 0 ${w} ${h}`}
      role="img"
      aria-label={`${name} from ${value(known[0])} to ${value(known.at(-1))}`}
      className={css.curve}
    >
      {known.length > 1 ? (
        <path d={path} fill="none" stroke="currentColor" strokeWidth="1.5" />
      ) : (
        known.length === 1 && <circle cx={w / 2} cy={h / 2} r="2" fill="currentColor" />
      )}
    </svg>
  );
}

interface CellContext {
  now: number;
  show: Record<string, Show>;
  by: string[];
  href: (run: TableRow) => string | undefined;
  experiments: Record<string, { name: string }>;
  curves: Map<string, (number | null)[]>;
}

/** What stands in a cell of the table of runs. */
export function cellOf(row: RunsRow, column: string, ctx: CellContext) {
  if (row.of) return groupCell(row, column, ctx);
  const { run } = row;
  if (!run) return null;
  switch (column) {
    case "select":
      return <Tick label={`Select ${run.name}`} checked={row.selected} />;
    case "name":
      return (
        <>
          <span style={{ width: row.depth * 18 }} className={css.indent} />
          <Expander row={row} name={run.name} />
          <StatusSign status={run.status} />
          <a
            className={css.name}
            href={ctx.href(run)}
            tabIndex={-1}
            title={run.name}
            data-act="open"
          >
            {run.name}
          </a>
          {run.children > 0 && (
            <span className={css.children} title={plural(run.children, "run") + " below"}>
              {run.children}
            </span>
          )}
        </>
      );
    case "start_time":
      return <span title={absolute(run.start_ms)}>{ago(run.start_ms, ctx.now)}</span>;
    case "end_time":
      return run.end_ms ? (
        <span title={absolute(run.end_ms)}>{ago(run.end_ms, ctx.now)}</span>
      ) : (
        dash
      );
    case "duration":
      return run.end_ms
        ? duration(run.end_ms - run.start_ms)
        : duration(Math.max(0, Math.round((ctx.now - run.start_ms) / 1000) * 1000));
    case "status":
      return run.status.toLowerCase();
    case "user_id":
      return run.user ? <Text>{run.user}</Text> : dash;
    case "run_id":
      return <Text mono>{run.id}</Text>;
    case "experiment":
      return <Text>{ctx.experiments[run.experiment]?.name ?? run.experiment}</Text>;
  }
  const key = keyOf(column);
  if (kindOf(column) === "metric") {
    const m = run.metrics[key];
    const show = ctx.show[column] ?? "last";
    if (!m) return <Summed sum={run.below?.[key]} show={show} usual="best" />;
    const text = show === "last" && m.last === null ? "NaN" : value(shownValue(m, show));
    if (show !== "curve") return text;
    const points = ctx.curves.get(`${run.id} ${key}`);
    return (
      <>
        {points ? <Curve values={points} name={key} /> : <span className={css.curveRoom} />}
        <span className={css.number}>{value(m.last)}</span>
      </>
    );
  }
  const text = kindOf(column) === "parameter" ? run.params[key] : run.tags[key];
  return text === undefined ? dash : <Text>{text}</Text>;
}

const dash = <span className={css.none}>{UNKNOWN}</span>;

function Text({ children, mono }: { children: string; mono?: boolean }) {
  return (
    <span className={mono ? css.mono : css.text} title={children}>
      {children}
    </span>
  );
}

/** A box to tick; the grid hears of it. */
export function Tick({ label, checked }: { label: string; checked: boolean }) {
  return (
    <input
      type="checkbox"
      tabIndex={-1}
      className={css.check}
      aria-label={label}
      data-act="select"
      checked={checked}
      readOnly
    />
  );
}

function Expander({ row, name }: { row: RunsRow; name: string }) {
  if (row.open === undefined) return <span className={css.expander} />;
  return (
    <button
      type="button"
      tabIndex={-1}
      className={css.expander}
      aria-expanded={row.open}
      aria-label={`Rows below ${name}`}
      data-act="toggle"
    >
      {row.open ? <ChevronDown size={14} aria-hidden /> : <ChevronRight size={14} aria-hidden />}
    </button>
  );
}

/** A metric of many runs as one number, and which one that is. */
function Summed(props: { sum: Sum | undefined; show: Show; usual: "best" | "mean" }) {
  const { sum, show, usual } = props;
  if (!sum) return dash;
  const asked = show === "last" || show === "curve" ? usual : show;
  const how = asked === "best" && sum.best === undefined ? "mean" : asked;
  return (
    <span title={inWords(sum)}>
      {value(sum[how])}
      <span className={css.how}>{how}</span>
    </span>
  );
}

/** All that is known of a metric of many runs. */
export function inWords(sum: Sum): string {
  const best = sum.best === undefined ? "" : `best ${value(sum.best, 8)}, `;
  return `${best}mean ${value(sum.mean, 8)}, from ${value(sum.min, 8)} to ${value(sum.max, 8)}, of ${plural(sum.runs, "run")}`;
}

/** The values of a group as a text. */
export function groupName(of: Group, by: string[]): string {
  return by.map((key, i) => `${keyOf(key)} ${of.values[i] ?? "not set"}`).join(" · ");
}

function groupCell(row: RunsRow, column: string, ctx: CellContext) {
  const group = row.of;
  if (!group) return null;
  switch (column) {
    case "select":
      return <Tick label={`Select all of ${groupName(group, ctx.by)}`} checked={row.selected} />;
    case "name":
      return (
        <>
          <Expander row={row} name={groupName(group, ctx.by)} />
          <span className={css.group} title={groupName(group, ctx.by)}>
            {ctx.by.map((key, i) => (
              <span key={key}>
                <span className={css.groupKey}>{keyOf(key)}</span>{" "}
                {group.values[i] ?? <i>not set</i>}
              </span>
            ))}
          </span>
          <span className={css.children}>{plural(group.runs, "run")}</span>
        </>
      );
    case "start_time":
      return (
        <span title={`the newest: ${absolute(group.newest_ms)}`}>
          {ago(group.newest_ms, ctx.now)}
        </span>
      );
    case "status":
      return group.running > 0 ? `${group.running} running` : dash;
  }
  if (kindOf(column) !== "metric") return null;
  const show = ctx.show[column] ?? "last";
  return <Summed sum={group.metrics[keyOf(column)]} show={show} usual="mean" />;
}

/** All that is known of the cell that the keys are at, in words. */
export function detail(
  row: Omit<RunsRow, "selected"> | undefined,
  column: string | undefined,
  by: string[],
): string {
  if (!row || !column) return "";
  const { run, of } = row;
  const key = keyOf(column);
  const kind = kindOf(column);
  const sum = kind === "metric" ? (of?.metrics[key] ?? run?.below?.[key]) : undefined;
  if (of) return groupName(of, by) + (sum ? `: ${inWords(sum)}` : "");
  if (!run) return "";
  if (kind === "metric") {
    const m = run.metrics[key];
    if (!m) return sum ? `${key} of the runs below: ${inWords(sum)}` : `${run.name} has no ${key}`;
    const parts = [`last ${m.last === null ? "NaN" : value(m.last, 8)} at step ${count(m.step)}`];
    if (m.best !== undefined) parts.push(`best ${value(m.best, 8)}`);
    if (m.min !== null) parts.push(`from ${value(m.min, 8)} to ${value(m.max, 8)}`);
    return `${key}: ${parts.join(", ")}`;
  }
  if (kind === "attribute") {
    return column === "start_time" ? `started ${absolute(run.start_ms)}` : run.name;
  }
  const text = kind === "parameter" ? run.params[key] : run.tags[key];
  return text === undefined ? `${run.name} has no ${key}` : `${key}: ${text}`;
}
