import { Skeleton } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { FirstRun } from "../../app/FirstRun";
import { StatusBadge } from "../../components/Badge";
import { DataTable, type Column } from "../../components/DataTable";
import { EndpointLink, IncidentLink, VersionLink } from "../../components/links";
import { Loaded } from "../../components/Loaded";
import { Page, Section } from "../../components/Page";
import { Empty } from "../../components/State";
import { Time } from "../../components/Time";
import { monitoringQuery, type Monitoring, type Watched } from "../../data/monitoring";
import { percent, value } from "../../format/number";
import { RoomTabs, Strip } from "./Room";
import css from "./Room.module.css";

/** How each endpoint stands. */
export function MonitoringList() {
  const { project } = useParams({ from: "/p/$project" });
  const query = useQuery(monitoringQuery(project));
  return (
    <Page title="Monitoring">
      <RoomTabs />
      <Loaded
        query={query}
        skeleton={<Skeleton height={300} />}
        isEmpty={(page) => page.items.length === 0}
        empty={
          <FirstRun title="Nothing is released yet">
            What is released is watched: its inputs against the data it was made from, and its error
            once labels arrive.
          </FirstRun>
        }
      >
        {(page) => (
          <Section title="Endpoints" about="what needs a look first" flush>
            <DataTable
              label="How each endpoint stands"
              columns={columns}
              rows={[...page.items].sort((a, b) => attention(b) - attention(a))}
              rowKey={(m) => m.endpoint}
            />
            {!page.items.some((m) => m.drift || m.performance) && <NotWatched />}
          </Section>
        )}
      </Loaded>
    </Page>
  );
}

/** How much an endpoint wants to be looked at. */
function attention({ incidents, drift, performance }: Monitoring): number {
  const reds = [drift, performance].filter((w) => w?.newest?.state === "red").length;
  return 10 * incidents.length + 3 * reds + (drift || performance ? 1 : 0);
}

function NotWatched() {
  return (
    <Empty
      title="None of these is watched"
      command={"monitor:\n  drift: {threshold: 0.2, window: 1d, red: 2 of 3}"}
    >
      Windows begin with the first request. fairlead.yaml watches the last environment of its
      release, by its part <code>monitor</code>:
    </Empty>
  );
}

/** A verdict's place in an order: the red ones, by how far they are beyond their limit. */
const severity = (w: Watched | undefined) =>
  w?.newest ? w.newest.value / w.newest.limit + (w.newest.state === "red" ? 1000 : 0) : null;

const columns: Column<Monitoring>[] = [
  {
    id: "endpoint",
    head: "Endpoint",
    cell: (m) => (
      <>
        <EndpointLink endpoint={m.endpoint} room="monitoring" />
        <div className={css.dim}>
          {m.live === 0 ? (
            "no version is live"
          ) : (
            <>
              <VersionLink model={m.model} version={m.live} /> is live
            </>
          )}
        </div>
      </>
    ),
    sort: (m) => m.endpoint,
  },
  {
    id: "drift",
    head: "Drift",
    cell: (m) => {
      const worst = m.drift?.newest?.features?.[0];
      return (
        <Verdict of={m.drift}>
          {worst && `${worst.name} ${value(worst.psi, 3)}, limit ${value(worst.limit, 3)}`}
        </Verdict>
      );
    },
    sort: (m) => severity(m.drift),
  },
  {
    id: "performance",
    head: "Realised performance",
    cell: (m) => {
      const n = m.performance?.newest;
      return (
        <Verdict of={m.performance}>
          {n &&
            n.state !== "unknown" &&
            `${n.metric ?? ""} ${value(n.value, 3)}, limit ${value(n.limit, 3)}`}
        </Verdict>
      );
    },
    sort: (m) => severity(m.performance),
  },
  {
    id: "labels",
    head: "Labels",
    numeric: true,
    minor: true,
    cell: (m) => percent(m.performance?.newest?.coverage),
    sort: (m) => m.performance?.newest?.coverage,
  },
  {
    id: "incidents",
    head: "Open incidents",
    minor: true,
    cell: (m) =>
      m.incidents.map((i) => (
        <div key={i.id}>
          <IncidentLink id={i.id}>{i.kind}</IncidentLink> since{" "}
          <Time at={i.opened_at} clock="stream" />
        </div>
      )),
    sort: (m) => m.incidents.length,
  },
  {
    id: "now",
    head: "Event time",
    minor: true,
    cell: (m) => <Time at={m.clock.watermark} clock="stream" />,
    sort: (m) => Date.parse(m.clock.watermark),
  },
];

/** The verdict on the newest window, what it was about, and those before. */
function Verdict({ of, children }: { of: Watched | undefined; children: ReactNode }) {
  if (!of) return <span className={css.dim}>not watched</span>;
  if (!of.newest) return <span className={css.dim}>no window is judged yet</span>;
  return (
    <div title={of.newest.reason}>
      <StatusBadge state={of.newest.state} /> {children}
      <Strip marks={of.recent} />
    </div>
  );
}
