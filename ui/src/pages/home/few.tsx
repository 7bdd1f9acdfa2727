import { Button } from "@mantine/core";
import { useState, type ReactNode } from "react";
import css from "./home.module.css";

/** The first of a list, and a button for all of it where there are more. */
export function useFew<T>(
  all: readonly T[],
  few: number,
  what: string,
): [shown: readonly T[], button: ReactNode] {
  const [whole, setWhole] = useState(false);
  if (all.length <= few) return [all, null];
  return [
    whole ? all : all.slice(0, few),
    <div key="all" className={css.all}>
      <Button variant="default" onClick={() => setWhole(!whole)}>
        {whole ? `Show the first ${few}` : `Show all ${all.length} ${what}`}
      </Button>
    </div>,
  ];
}
