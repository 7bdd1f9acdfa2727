import { Skeleton } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { StatusBadge } from "../../components/Badge";
import { EndpointLink, IncidentLink, VersionLink } from "../../components/links";
import { Loaded } from "../../components/Loaded";
import { Page, Section } from "../../components/Page";
import { Empty } from "../../components/State";
import { Time } from "../../components/Time";
import { monitoringQuery, type Monitoring, type Watched } from "../../data/monitoring";
import { duration, percent, value } from "../../format/number";
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
          <Empty title="Nothing is released yet" command="fairlead run">
            What is released is watched: its inputs against the data it was made from, and its error
            once labels arrive.
          </Empty>
        }
      >
        {(page) => page.items.map((m) => <Endpoint key={m.endpoint} at={m} />)}
      </Loaded>
    </Page>
  );
}

function Endpoint({ at }: { at: Monitoring }) {
  return (
    <Section
      title={at.endpoint}
      about={
        at.live === 0 ? (
          "no version is live"
        ) : (
          <>
            <VersionLink model={at.model} version={at.live} /> is live; it is{" "}
            <Time at={at.clock.watermark} clock="stream" /> in event time
          </>
        )
      }
      actions={
        <EndpointLink endpoint={at.endpoint} room="monitoring">
          Heat map and history
        </EndpointLink>
      }
    >
      {at.drift || at.performance ? (
        <div className={css.kinds}>
          <Drift of={at.drift} />
          <Performance of={at.performance} />
        </div>
      ) : (
        <NotWatched at={at} />
      )}
      {at.incidents.length > 0 && (
        <ul className={css.open} aria-label="Open incidents">
          {at.incidents.map((i) => (
            <li key={i.id}>
              <StatusBadge state="open" label={`${i.kind} since`} />
              <span>
                <Time at={i.opened_at} clock="stream" />, then {i.action}:{" "}
                <IncidentLink id={i.id}>{i.reason}</IncidentLink>
              </span>
            </li>
          ))}
        </ul>
      )}
    </Section>
  );
}

function NotWatched({ at }: { at: Monitoring }) {
  if (!at.clock.watermark || Date.parse(at.clock.watermark) <= 0) {
    return (
      <p className={css.note}>Windows begin with the first request; there has been none yet.</p>
    );
  }
  return (
    <p className={css.note}>
      This endpoint is not watched: fairlead.yaml watches the last environment, by its part{" "}
      <code>monitor</code>.
    </p>
  );
}

function Drift({ of }: { of: Watched | undefined }) {
  if (!of) return <Off title="Drift" part="monitor.drift" />;
  const worst = of.newest?.features?.[0];
  return (
    <div className={css.kind}>
      <Head title="Drift" of={of} />
      {worst && (
        <p className={css.figure}>
          {value(worst.psi, 3)}{" "}
          <small>
            PSI of {worst.name}, limit {value(worst.limit, 3)}
          </small>
        </p>
      )}
      <Rest of={of} />
    </div>
  );
}

function Performance({ of }: { of: Watched | undefined }) {
  if (!of) return <Off title="Realised performance" part="monitor.performance" />;
  const n = of.newest;
  return (
    <div className={css.kind}>
      <Head title="Realised performance" of={of} />
      {n && n.state !== "unknown" && (
        <p className={css.figure}>
          {value(n.value, 3)}{" "}
          <small>
            {n.metric ?? of.metric}, limit {value(n.limit, 3)}; {percent(n.coverage)} of labels
          </small>
        </p>
      )}
      <Rest of={of} />
    </div>
  );
}

function Head({ title, of }: { title: string; of: Watched }) {
  return (
    <h3 className={css.kindHead}>
      {title} {of.newest && <StatusBadge state={of.newest.state} />}
    </h3>
  );
}

/** The windows of late, and which one is next. */
function Rest({ of }: { of: Watched }) {
  return (
    <>
      {of.newest?.state === "unknown" && <p className={css.note}>{of.newest.reason}</p>}
      {of.recent.length > 0 ? (
        <Strip marks={of.recent} />
      ) : (
        <p className={css.note}>No window is judged yet.</p>
      )}
      <p className={css.note}>
        Windows of {duration(of.window_ms)}; {of.red} red open an incident, then {of.then}.
        {of.next && (
          <>
            {" "}
            The next is judged at <Time at={of.next.judged_at} clock="stream" />.
          </>
        )}
      </p>
    </>
  );
}

function Off({ title, part }: { title: string; part: string }) {
  return (
    <div className={css.kind}>
      <h3 className={css.kindHead}>{title}</h3>
      <p className={css.note}>
        Not watched: fairlead.yaml has no <code>{part}</code>.
      </p>
    </div>
  );
}
