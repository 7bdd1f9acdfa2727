import { Sparkline } from "../../charts/Sparkline";
import { Swatch } from "../../charts/Swatch";
import { StatusBadge } from "../../components/Badge";
import { DataTable, type Column } from "../../components/DataTable";
import { VersionLink } from "../../components/links";
import type { Served, VariantState, VersionTraffic } from "../../data/endpoints";
import { count, duration, percent, UNKNOWN } from "../../format/number";
import { asPercent, colorOf, modelOf, rate } from "./words";
import css from "./Variants.module.css";

/** A version of an endpoint with all its roles, and how it answered. */
interface Row {
  version: number;
  roles: string[];
  percent: number;
  state: VariantState;
  did: VersionTraffic | undefined;
}

const states = { ready: "good", loading: "info", failing: "bad" } as const;

function rowsOf(served: Served): Row[] {
  const rows = new Map<number, Row>();
  for (const v of served.variants) {
    const row = rows.get(v.version) ?? {
      version: v.version,
      roles: [],
      percent: 0,
      state: v,
      did: served.versions.find((t) => t.version === v.version),
    };
    row.roles.push(v.role);
    row.percent += v.percent;
    rows.set(v.version, row);
  }
  return [...rows.values()];
}

/** What went wrong at a version: answers that failed, and scores that it could not give. */
export function failures(t: VersionTraffic["total"] | undefined): number {
  return t ? t.errors + (t.scored > 0 ? t.failed : 0) : 0;
}

/** The versions of an endpoint: their share, their health, and what they did in the time. */
export function Variants({ served, label }: { served: Served; label: string }) {
  const length = Date.parse(served.to) - Date.parse(served.from);
  const columns: Column<Row>[] = [
    {
      id: "version",
      head: "Version",
      sort: (r) => r.version,
      cell: (r) => (
        <span className={css.version}>
          <Swatch n={colorOf(r.version)} />
          <VersionLink model={modelOf(served.endpoint)} version={r.version} />
        </span>
      ),
    },
    { id: "role", head: "Role", cell: (r) => r.roles.join(", ") },
    {
      id: "share",
      head: "Share",
      numeric: true,
      sort: (r) => r.percent,
      cell: (r) => (r.percent > 0 ? asPercent(r.percent) : UNKNOWN),
    },
    {
      id: "health",
      head: "Health",
      cell: (r) => (
        <>
          <StatusBadge
            state={r.state.state}
            tone={states[r.state.state as keyof typeof states] ?? "none"}
          />
          {r.state.why && <div className={css.why}>{r.state.why}</div>}
        </>
      ),
    },
    {
      id: "requests",
      head: "Answered",
      numeric: true,
      sort: (r) => r.did?.total.requests ?? 0,
      cell: (r) => (
        <span title={`${count(r.did?.total.requests ?? 0)} requests`}>
          {r.did?.total.requests ? rate(r.did.total.requests, length) : UNKNOWN}
        </span>
      ),
    },
    {
      id: "scored",
      head: "Scored",
      numeric: true,
      minor: true,
      sort: (r) => r.did?.total.scored ?? 0,
      cell: (r) => (r.did?.total.scored ? rate(r.did.total.scored, length) : UNKNOWN),
    },
    {
      id: "p50",
      head: "p50",
      numeric: true,
      sort: (r) => r.did?.total.p50_s ?? null,
      cell: (r) => seconds(r.did?.total.p50_s),
    },
    {
      id: "p99",
      head: "p99",
      numeric: true,
      sort: (r) => r.did?.total.p99_s ?? null,
      cell: (r) => seconds(r.did?.total.p99_s),
    },
    {
      id: "own",
      head: "Model p99",
      numeric: true,
      minor: true,
      sort: (r) => r.did?.total.own_p99_s ?? null,
      cell: (r) => seconds(r.did?.total.own_p99_s),
    },
    {
      id: "errors",
      head: "Errors",
      numeric: true,
      sort: (r) => failures(r.did?.total),
      cell: (r) => <Errors did={r.did} />,
    },
    {
      id: "trend",
      head: "Requests over time",
      minor: true,
      cell: (r) => (
        <Sparkline
          values={(r.did?.requests ?? []).map(
            (n, i) => n || (r.did?.scored[i] && r.percent === 0 ? r.did.scored[i] : n),
          )}
          color={colorOf(r.version)}
          label={`Requests to version ${r.version} over time, at most ${count(
            Math.max(0, ...(r.did?.requests ?? [])),
          )} in a step`}
        />
      ),
    },
  ];
  return (
    <DataTable
      label={label}
      columns={columns}
      rows={rowsOf(served)}
      rowKey={(r) => String(r.version)}
    />
  );
}

function Errors({ did }: { did: VersionTraffic | undefined }) {
  const bad = failures(did?.total);
  const asked = Math.max(
    did?.total.scored ?? 0,
    (did?.total.requests ?? 0) + (did?.total.errors ?? 0),
  );
  if (asked === 0) return <>{UNKNOWN}</>;
  return (
    <span className={bad > 0 ? css.bad : ""}>
      {bad === 0 ? "none" : `${count(bad)} (${percent(bad / asked)})`}
    </span>
  );
}

function seconds(s: number | null | undefined): string {
  return duration(s == null ? null : s * 1000);
}
