import { count, percent, value } from "../../format/number";
import { Stat, Stats } from "../../components/Stat";
import { StatusBadge } from "../../components/Badge";
import { period } from "../../charts/timeframe";
import type { Distribution as Data } from "../../data/monitoring";
import css from "./Distribution.module.css";

type Bin = Data["bins"][number];

/** What a bin holds, in words. */
function binText(b: Bin): string {
  switch (b.kind) {
    case "range":
      return b.low === b.high ? value(b.low) : `${value(b.low)} – ${value(b.high)}`;
    case "below":
      return `below ${value(b.high)}`;
    case "above":
      return b.low === undefined ? "any value" : `above ${value(b.low)}`;
    case "other":
      return "never seen before";
    case "missing":
      return "missing";
    default:
      return b.name === "" ? "(empty)" : (b.name ?? "");
  }
}

/** One feature in one window beside its reference, and what each bin adds to the drift. */
export function Distribution({ data }: { data: Data }) {
  const share = (n: number, of: number) => (of === 0 ? 0 : n / of);
  const most = Math.max(
    ...data.bins.map((b) =>
      Math.max(share(b.reference, data.reference_rows), share(b.window, data.rows)),
    ),
  );
  const worst = data.bins.reduce<Bin | undefined>(
    (a, b) => (a === undefined || b.psi > a.psi ? b : a),
    undefined,
  );
  const width = (s: number) => ({ width: `${most === 0 ? 0 : (100 * s) / most}%` });
  return (
    <>
      <Stats>
        <Stat
          label="PSI"
          value={value(data.psi, 3)}
          note={<StatusBadge state={data.red ? "red" : "green"} />}
        />
        <Stat label="Limit" value={value(data.limit, 3)} note={limitNote(data)} />
        <Stat
          label="Rows"
          value={count(data.rows)}
          note={`${count(data.reference_rows)} in the reference`}
        />
      </Stats>
      <div className={css.keys}>
        <span>
          <i className={css.reference} aria-hidden /> reference
        </span>
        <span>
          <i className={data.red ? css.red : css.window} aria-hidden /> this window
        </span>
      </div>
      <div
        className={css.box}
        role="region"
        tabIndex={0}
        aria-label={`Distribution of ${data.feature}`}
      >
        <table className={css.table} aria-label={`Distribution of ${data.feature}`}>
          <thead>
            <tr>
              <th scope="col">Value</th>
              <th scope="col" className={css.bars}>
                Share of rows
              </th>
              <th scope="col" className={`${css.numeric} ${css.wide}`}>
                Reference
              </th>
              <th scope="col" className={css.numeric}>
                Window
              </th>
              <th scope="col" className={css.numeric}>
                Adds to PSI
              </th>
            </tr>
          </thead>
          <tbody>
            {data.bins.map((b) => {
              const before = share(b.reference, data.reference_rows);
              const now = share(b.window, data.rows);
              return (
                <tr key={`${b.kind} ${binText(b)}`} className={b === worst ? css.most : ""}>
                  <th scope="row">{binText(b)}</th>
                  <td aria-hidden>
                    <div className={`${css.bar} ${css.reference}`} style={width(before)} />
                    <div
                      className={`${css.bar} ${css.window} ${data.red ? css.red : ""}`}
                      style={width(now)}
                    />
                  </td>
                  <td className={`${css.numeric} ${css.wide}`}>{percent(before)}</td>
                  <td className={css.numeric}>{percent(now)}</td>
                  <td className={css.numeric}>{value(b.psi, 2)}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      <p className={css.aside}>
        Counted in {period(Date.parse(data.from), Date.parse(data.to))} (event time), on the bins of
        the reference of version {data.version}
        {data.datasets.length > 0 && (
          <>: {data.datasets.map((d) => `${d.dataset} version ${d.n}`).join(", ")}</>
        )}
        .
      </p>
    </>
  );
}

/** Where the limit comes from. */
function limitNote(d: Data): string {
  if (d.usual !== undefined && d.usual >= d.limit * 0.999) return "usual for windows this short";
  if (d.threshold !== undefined && Math.abs(d.limit - d.threshold) < 1e-9)
    return "the threshold of fairlead.yaml";
  return "what chance reaches on so few rows";
}
