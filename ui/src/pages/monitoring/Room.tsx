import type { InfiniteData, UseInfiniteQueryResult, UseQueryResult } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useMemo, type ReactNode } from "react";
import { period } from "../../charts/timeframe";
import { More } from "../../components/More";
import type { Watched } from "../../data/monitoring";
import { given } from "./routes";
import css from "./Room.module.css";

/** The pages of this room beside each other. */
export function RoomTabs() {
  const { project } = useParams({ from: "/p/$project" });
  const params = { project };
  const props = { params, className: css.tab ?? "", activeOptions: { includeSearch: false } };
  return (
    <nav aria-label="Monitoring" className={css.tabs}>
      <Link to="/p/$project/monitoring" {...props}>
        Endpoints
      </Link>
      <Link to="/p/$project/incidents" {...props}>
        Incidents
      </Link>
      <Link to="/p/$project/cases" {...props}>
        Cases
      </Link>
    </nav>
  );
}

/** Changes what an address says; what is undefined is taken out of it. */
export type Change<T extends object> = (part: { [K in keyof T]?: T[K] | undefined }) => void;

/** Changes the search of the page's address, without a step in the browser's history. */
export function useChange<T extends object>(): Change<T> {
  const navigate = useNavigate();
  return (part) =>
    void navigate({
      to: ".",
      search: (now: object) => given<object>({ ...now, ...part }),
      replace: true,
      resetScroll: false,
    });
}

type Mark = Watched["recent"][number];

/** The verdicts on the newest windows, the oldest first. */
export function Strip({ marks }: { marks: Mark[] }) {
  const reds = marks.filter((m) => m.state === "red").length;
  const unknown = marks.filter((m) => m.state === "unknown").length;
  const label = `Of the newest ${marks.length} windows ${reds} are red and ${unknown} unknown; the newest is ${marks.at(-1)?.state ?? "unknown"}`;
  return (
    <div role="img" aria-label={label} className={css.strip}>
      {marks.map((m) => (
        <span
          key={`${m.from} ${m.version}`}
          className={`${css.mark} ${css[m.state]}`}
          title={`${period(Date.parse(m.from), Date.parse(m.to))}, version ${m.version}: ${m.state}`}
        />
      ))}
    </div>
  );
}

/** The pages of a list as one, with a button for more. */
export function useAll<T>(
  pages: UseInfiniteQueryResult<InfiniteData<{ items: T[] }>>,
): [query: UseQueryResult<T[]>, more: ReactNode] {
  const data = useMemo(() => pages.data?.pages.flatMap((p) => p.items), [pages.data]);
  return [
    { ...pages, data } as UseQueryResult<T[]>,
    <More key="more" query={pages}>
      Show older ones
    </More>,
  ];
}
