import { ActionIcon } from "@mantine/core";
import { ChartLine, Table2 } from "lucide-react";
import { useId, useState, type ReactNode } from "react";
import css from "./Figure.module.css";

interface FigureProps {
  title: string;
  /** What it shows in a sentence, for who cannot see it: "auc of 3 runs over 500 steps". */
  describe: string;
  /** The same data as a table; drawn only when it is asked for. */
  table: () => ReactNode;
  actions?: ReactNode;
  children: ReactNode;
}

/** A chart with its name and the table behind it. */
export function Figure(props: FigureProps) {
  const [asTable, setAsTable] = useState(false);
  const title = useId();
  const label = asTable ? "Show the chart" : "Show as a table";
  return (
    <figure className={css.figure} aria-labelledby={title}>
      <figcaption className={css.caption}>
        <span id={title} className={css.title}>
          {props.title}
        </span>
        <span className={css.actions}>
          {props.actions}
          <ActionIcon
            data-tip={label}
            size="sm"
            aria-label={`${label}: ${props.title}`}
            onClick={() => setAsTable(!asTable)}
          >
            {asTable ? <ChartLine size={14} aria-hidden /> : <Table2 size={14} aria-hidden />}
          </ActionIcon>
        </span>
      </figcaption>
      {asTable ? (
        <div className={css.table}>{props.table()}</div>
      ) : (
        <div role="group" aria-label={props.describe}>
          {props.children}
        </div>
      )}
    </figure>
  );
}
