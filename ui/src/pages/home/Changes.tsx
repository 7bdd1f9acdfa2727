import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { FirstRun } from "../../app/FirstRun";
import { EventSign } from "../../components/EventSign";
import { Lines, Loaded } from "../../components/Loaded";
import { Section } from "../../components/Page";
import { ThingLink } from "../../components/ThingLink";
import { Time } from "../../components/Time";
import { newestEvents } from "../../data/events";
import { thingOf } from "../../data/links";
import { useEvents } from "../../data/live";
import css from "./home.module.css";

/** What people want to hear of: turns of the loop, and not each label or window. */
const told = [
  "project.created",
  "project.applied",
  "pipelinerun.finished",
  "model.created",
  "modelversion.created",
  "modelversion.retired",
  "gate.decided",
  "rollout.started",
  "rollout.stepped",
  "rollout.asked",
  "rollout.finished",
  "assignment.failed",
  "incident.opened",
  "incident.resolved",
  "case.opened",
  "case.closed",
  "loop.paused",
  "experiment.created",
  "delivery.skipped",
  "access.changed",
  "data.purged",
];

/** The newest events, as they come. */
export function Changes({ project }: { project: string }) {
  const events = useQuery(newestEvents(project, 12, { types: told }));
  const [heard, setHeard] = useState<ReadonlySet<number>>(new Set());
  useEvents(told, (e) => setHeard((before) => new Set([...before, e.seq].slice(-50))));
  return (
    <Section
      title="What changed"
      flush
      actions={
        <Link to="/p/$project/audit" params={{ project }} className={css.more}>
          All events
        </Link>
      }
    >
      <Loaded
        query={events}
        skeleton={
          <div className={css.pad}>
            <Lines n={8} height={30} />
          </div>
        }
        isEmpty={(page) => page.items.length === 0}
        empty={
          <FirstRun title="Nothing has happened yet">
            Each change of the project is an event here, with its proof.
          </FirstRun>
        }
      >
        {(page) => (
          <ol className={css.list}>
            {page.items.map((e) => (
              <li key={e.seq} className={css.item} data-new={heard.has(e.seq) || undefined}>
                <EventSign event={e} />
                <div className={css.grow}>
                  <ThingLink thing={thingOf(e)} className={css.sentence}>
                    {e.text}
                  </ThingLink>
                </div>
                <span className={css.when}>
                  <Time at={e.time_ms} />
                </span>
              </li>
            ))}
          </ol>
        )}
      </Loaded>
    </Section>
  );
}
