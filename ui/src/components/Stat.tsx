import type { ReactNode } from "react";
import css from "./Stat.module.css";

/** A number that matters, with its name, unit and what it is compared with. */
export function Stat(props: { label: string; value: ReactNode; note?: ReactNode }) {
  return (
    <div className={css.stat}>
      <dt className={css.label}>{props.label}</dt>
      <dd className={css.value}>{props.value}</dd>
      {props.note && <dd className={css.note}>{props.note}</dd>}
    </div>
  );
}

/** Several of them in a row. */
export function Stats({ children }: { children: ReactNode }) {
  return <dl className={css.stats}>{children}</dl>;
}

/** Facts as names and values, one below the other. */
export function Facts({ items }: { items: [name: string, value: ReactNode][] }) {
  return (
    <dl className={css.facts}>
      {items.map(([name, value]) => (
        <div key={name} className={css.fact}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
