import type { PipelineRun } from "../../data/pipelines";
import { isFinal } from "../../data/pipelines";
import { count, percent, plural } from "../../format/number";
import css from "./pipelines.module.css";

type Tally = NonNullable<PipelineRun["steps"]>;

/** Steps of a run that have begun. */
export function begun(t: Tally): number {
  return t.cached + t.succeeded + t.failed + t.cancelled + t.running;
}

/** The share of the steps that the cache answered, of those that have ended well. */
export function cachedShare(t: Tally): number | undefined {
  const ended = t.cached + t.succeeded;
  return ended === 0 ? undefined : t.cached / ended;
}

/** What became of the steps of a run: in words, and how many there are or will be. */
function look(run: PipelineRun, t: Tally) {
  const total = isFinal(run.state) ? begun(t) : Math.max(t.planned, begun(t));
  const parts = [
    [t.cached, "cached", css.cached],
    [t.succeeded, "run", css.ran],
    [t.failed, "failed", css.failed],
    [t.cancelled, "cancelled", css.cancelled],
    [t.running, "running", css.running],
  ] as const;
  const words = parts.flatMap(([n, word]) => (n > 0 ? [`${count(n)} ${word}`] : []));
  if (total > begun(t)) words.push(`${count(total - begun(t))} to come`);
  return { total, parts, words: words.join(", ") || "none has begun" };
}

/** The steps of a run as a bar, with as many words as there is room for. */
export function Share({ run, whole }: { run: PipelineRun; whole?: boolean }) {
  const t = run.steps;
  if (!t) return null;
  const { total, parts, words } = look(run, t);
  const bar = (
    <span className={css.bar} aria-hidden>
      {parts.map(([n, word, className]) =>
        n > 0 ? (
          <span key={word} className={className} style={{ width: `${(100 * n) / total}%` }} />
        ) : null,
      )}
    </span>
  );
  if (whole) {
    return (
      <span className={css.share}>
        {bar}
        <span className={css.wrapped}>{words}</span>
      </span>
    );
  }
  const share = t.cached > 0 ? `, ${percent(cachedShare(t), 2)} cached` : "";
  return (
    <span data-tip={words} className={css.share} tabIndex={0}>
      {bar}
      <span>
        {isFinal(run.state)
          ? `${plural(total, "step")}${share}`
          : `${count(begun(t) - t.running)} of ${count(total)} steps`}
      </span>
    </span>
  );
}
