import type { ReactNode } from "react";
import css from "./Card.module.css";

interface CardProps {
  kind: string;
  name: ReactNode;
  /** What matters of it beside its name. */
  note?: ReactNode;
  /** It is what the page is about. */
  self?: boolean | undefined;
}

/** A thing of a graph, as what it is, its name, and a note. */
export function Card({ kind, name, note, self }: CardProps) {
  return (
    <div className={css.card} data-self={self || undefined}>
      <div className={css.kind}>{kind}</div>
      <div className={css.name}>{name}</div>
      <div className={css.note}>{note}</div>
    </div>
  );
}
