import css from "./Shares.module.css";
import { asPercent, fillOf } from "./words";

interface Variant {
  version: number;
  role: string;
  percent: number;
}

interface SharesProps {
  before: readonly Variant[];
  after: readonly Variant[];
}

/** Who answers which share of the requests, now and afterwards. */
export function Shares({ before, after }: SharesProps) {
  return (
    <dl className={css.shares}>
      <dt>Now</dt>
      <dd>
        <ShareBar variants={before} />
      </dd>
      <dt>Afterwards</dt>
      <dd>
        <ShareBar variants={after} />
      </dd>
    </dl>
  );
}

/** The shares of the requests as one bar, with the versions that answer none beside it. */
export function ShareBar({ variants }: { variants: readonly Variant[] }) {
  const answering = variants.filter((v) => v.percent > 0);
  const others = variants.filter(
    (v) => v.percent === 0 && !answering.some((a) => a.version === v.version),
  );
  return (
    <div className={css.row}>
      <svg className={css.bar} viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden>
        {answering.map((v, i) => (
          <rect
            key={`${v.version} ${v.role}`}
            x={answering.slice(0, i).reduce((sum, o) => sum + o.percent, 0)}
            width={v.percent}
            height={8}
            fill={fillOf(v.version)}
          />
        ))}
      </svg>
      <span className={css.text}>
        {answering.map((v) => `${asPercent(v.percent)} version ${v.version}`).join(", ") ||
          "nobody answers"}
        {others.length > 0 && (
          <span className={css.dim}>
            {" "}
            ·{" "}
            {[...new Set(others.map((v) => v.version))]
              .map((n) => `version ${n} ${rolesOf(others, n)}`)
              .join(", ")}
          </span>
        )}
      </span>
    </div>
  );
}

/** "shadow and standby" */
function rolesOf(variants: readonly Variant[], version: number): string {
  return variants
    .filter((v) => v.version === version)
    .map((v) => v.role)
    .join(" and ");
}
