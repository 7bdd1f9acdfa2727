import { DataTable, type Column } from "../../components/DataTable";
import { Time } from "../../components/Time";
import { AuditLink, VersionLink } from "../../components/links";
import type { AsOf, Move } from "../../data/models";
import { absolute } from "../../format/time";
import css from "./models.module.css";
import { actorName } from "./words";

interface MovesProps {
  model: string;
  /** The newest first. */
  moves: readonly Move[];
  asOf: AsOf;
  onAsOf: (asOf: AsOf) => void;
}

/** How many moves the strip shows; the list has them all. */
const SHOWN = 30;

/** What each alias has named from move to move: a column is a move, not a length of time. */
export function MoveStrip({ model, moves, asOf, onAsOf }: MovesProps) {
  const shown = moves.slice(0, SHOWN).reverse();
  const aliases = [...new Set(moves.map((m) => m.alias))].sort(byMeaning);
  return (
    <div className={css.strip} tabIndex={0} role="group" aria-label="Aliases from move to move">
      <table aria-label="Aliases from move to move">
        <thead>
          <tr>
            <th scope="col">Move</th>
            {shown.map((m, i) => (
              <td key={`${m.event} ${m.alias}`}>
                <Moment move={m} number={i + 1} asOf={asOf} onAsOf={onAsOf} />
              </td>
            ))}
          </tr>
        </thead>
        <tbody>
          {aliases.map((alias) => (
            <tr key={alias}>
              <th scope="row">{alias}</th>
              {spans(alias, shown).map((s) => (
                <td key={s.first} colSpan={s.columns}>
                  {s.version > 0 && (
                    <span className={css.span} data-alias={alias}>
                      <VersionLink model={model} version={s.version} asOf={asOf} />
                    </span>
                  )}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Moment(props: { move: Move; number: number; asOf: AsOf; onAsOf: (asOf: AsOf) => void }) {
  const at = new Date(props.move.at_ms).toISOString();
  const when = absolute(props.move.at_ms);
  return (
    <button
      data-tip={`${sentence(props.move)} on ${when}. Show the page as of then`}
      type="button"
      className={css.moment}
      aria-pressed={props.asOf === at}
      aria-label={`Show the page as of move ${props.number}: ${sentence(props.move)}, ${when}`}
      onClick={() => props.onAsOf(props.asOf === at ? "" : at)}
    >
      {props.number}
    </button>
  );
}

/** live before all, then candidate, then by name. */
function byMeaning(a: string, b: string): number {
  const rank = (s: string) => (s === "live" ? 0 : s === "candidate" ? 1 : 2);
  return rank(a) - rank(b) || a.localeCompare(b);
}

interface Span {
  first: number;
  columns: number;
  version: number;
}

/** What an alias named over the columns of moves, the oldest first. */
export function spans(alias: string, moves: readonly Move[]): Span[] {
  const first = moves.find((m) => m.alias === alias);
  const out: Span[] = [];
  let version = first?.from ?? 0;
  moves.forEach((m, i) => {
    if (m.alias === alias) version = m.to;
    const last = out.at(-1);
    if (last && last.version === version && m.alias !== alias) last.columns++;
    else out.push({ first: i, columns: 1, version });
  });
  return out;
}

function sentence(m: Move): string {
  if (m.to === 0) return `${m.alias} was removed from version ${m.from}`;
  if (m.from === 0) return `${m.alias} was given to version ${m.to}`;
  return `${m.alias} moved from version ${m.from} to ${m.to}`;
}

/** All moves as a list: who moved what, when, and by which event. */
export function MoveTable({ model, moves }: { model: string; moves: readonly Move[] }) {
  const columns: Column<Move>[] = [
    { id: "at", head: "When", sort: (m) => m.at_ms, cell: (m) => <Time at={m.at_ms} /> },
    {
      id: "alias",
      head: "Alias",
      sort: (m) => m.alias,
      cell: (m) => (
        <span className={css.alias} data-alias={m.alias}>
          {m.alias}
        </span>
      ),
    },
    { id: "from", head: "From", cell: (m) => <Target model={model} version={m.from} /> },
    { id: "to", head: "To", cell: (m) => <Target model={model} version={m.to} /> },
    { id: "actor", head: "By", sort: (m) => m.actor, cell: (m) => actorName(m.actor) },
    {
      id: "event",
      head: "Event",
      minor: true,
      cell: (m) => <AuditLink subject={`model/${model}`}>{m.event}</AuditLink>,
    },
  ];
  return (
    <DataTable
      label="Moves of aliases"
      columns={columns}
      rows={moves}
      rowKey={(m) => `${m.event} ${m.alias}`}
    />
  );
}

function Target({ model, version }: { model: string; version: number }) {
  return version === 0 ? (
    <span className={css.dim}>none</span>
  ) : (
    <VersionLink model={model} version={version} />
  );
}
