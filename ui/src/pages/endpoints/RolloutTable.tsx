import { Link } from "@tanstack/react-router";
import { StatusBadge } from "../../components/Badge";
import { DataTable, type Column } from "../../components/DataTable";
import { Time } from "../../components/Time";
import type { Rollout } from "../../data/rollouts";
import { count, duration, UNKNOWN } from "../../format/number";
import css from "./RolloutTable.module.css";
import { rolloutName, rolloutState } from "./words";

interface RolloutTableProps {
  project: string;
  rollouts: readonly Rollout[];
  /** Names the endpoint of each. */
  all?: boolean;
}

/** How they are listed, and by which clock. */
export const ROLLOUT_ORDER = "newest first; stream time, and wall time before the stream began";

/** Rollouts with how they came out, and why. */
export function RolloutTable({ project, rollouts, all = false }: RolloutTableProps) {
  const columns: Column<Rollout>[] = [
    {
      id: "rollout",
      head: "Rollout",
      sort: (r) => r.to,
      cell: (r) => (
        <Link
          to="/p/$project/rollouts/$rollout"
          params={{ project, rollout: r.id }}
          className={css.name ?? ""}
        >
          {rolloutName(r)}
        </Link>
      ),
    },
    {
      id: "state",
      head: "State",
      cell: (r) => {
        const { tone, label } = rolloutState(r);
        return <StatusBadge state={r.state} tone={tone} label={label} />;
      },
    },
    {
      id: "from",
      head: "Over",
      numeric: true,
      minor: true,
      cell: (r) => (r.from > 0 ? r.from : UNKNOWN),
    },
    {
      id: "started",
      head: "Began",
      sort: (r) => r.started,
      cell: (r) => <Time at={r.started} clock="stream" />,
    },
    {
      id: "took",
      head: "Took",
      numeric: true,
      minor: true,
      sort: (r) => took(r),
      cell: (r) => (r.strategy === "replace" ? "at once" : duration(took(r))),
    },
    {
      id: "labels",
      head: "Labels",
      numeric: true,
      minor: true,
      sort: (r) => r.evidence.labels,
      cell: (r) => (r.strategy === "replace" ? UNKNOWN : count(r.evidence.labels)),
    },
    { id: "reason", head: "Why", cell: (r) => <span className={css.why}>{r.reason}</span> },
  ];
  if (all) {
    columns.splice(1, 0, { id: "endpoint", head: "Endpoint", cell: (r) => r.endpoint });
  }
  return (
    <DataTable label="List of rollouts" columns={columns} rows={rollouts} rowKey={(r) => r.id} />
  );
}

function took(r: Rollout): number | null {
  const ms = r.ended ? Date.parse(r.ended) - Date.parse(r.started) : -1;
  return ms < 0 ? null : ms; // one began before the stream, at a wall time
}
