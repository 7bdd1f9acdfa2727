import { Skeleton } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import { StatusBadge, type Tone } from "../../components/Badge";
import {
  DatasetLink,
  IncidentLink,
  PipelineLink,
  RolloutLink,
  VersionLink,
} from "../../components/links";
import { Bone, Loaded } from "../../components/Loaded";
import { Columns, Page, Section } from "../../components/Page";
import { Facts } from "../../components/Stat";
import { Time } from "../../components/Time";
import { caseEventsQuery, caseQuery, decisionQuery, loopQuery, type Case } from "../../data/cases";
import { duration, plural } from "../../format/number";
import { momentOf, withoutEchoes, type Event } from "./moments";
import { plain } from "./Loop";
import { Story } from "./Story";
import css from "./Case.module.css";

/** One turn of the loop, step by step. */
export function CasePage() {
  const { project, case: id } = useParams({ from: "/p/$project/cases/$case" });
  const query = useQuery(caseQuery(project, id));
  const c = query.data;
  return (
    <Page
      title={c ? `Case of ${c.model}${c.version ? ` version ${c.version}` : ""}` : "Case"}
      crumbs={[
        <Link key="c" to="/p/$project/cases" params={{ project }}>
          Cases
        </Link>,
        <span key="id">{id}</span>,
      ]}
      badge={c && <StatusBadge state={c.outcome ?? c.state} />}
      about={c?.reason}
    >
      <Loaded query={query} skeleton={<Skeleton height={420} />}>
        {(found) => <Body of={found} />}
      </Loaded>
    </Page>
  );
}

function Body({ of }: { of: Case }) {
  const { project } = useParams({ from: "/p/$project" });
  const events = useQuery(caseEventsQuery(project, of.id));
  return (
    <>
      <Section title="Steps" about="how long each took on the machine">
        <Loaded query={events} skeleton={<Bone height={77} narrow={145} />}>
          {(e) => <Steps of={of} events={e.items} />}
        </Loaded>
        {of.state !== "closed" && <Waits of={of} />}
      </Section>
      {of.decision && <Decision id={of.decision} />}
      <Columns>
        <Section title="What happened" about="event time above, time of the machine below">
          <Loaded query={events} skeleton={<Bone height={488} narrow={785} />}>
            {(e) => <Story label="What happened" moments={withoutEchoes(e.items).map(momentOf)} />}
          </Loaded>
        </Section>
        <Section title="Facts">
          <Facts items={factsOf(of)} />
        </Section>
      </Columns>
    </>
  );
}

/** What the active case of a model waits for. */
function Waits({ of }: { of: Case }) {
  const { project } = useParams({ from: "/p/$project" });
  const { data } = useQuery(loopQuery(project, of.model));
  if (data?.active?.id !== of.id || !data.waits_for) return null;
  return <p className={css.waits}>It waits for {plain(data.waits_for)}.</p>;
}

const all = ["collecting", "training", "packaging", "gating", "releasing"] as const;
const names: Record<(typeof all)[number], string> = {
  collecting: "Data",
  training: "Training",
  packaging: "Package",
  gating: "Gate",
  releasing: "Release",
};

interface Step {
  state: (typeof all)[number];
  tone: Tone;
  /** Wall time in milliseconds; null for a step that it did not come to. */
  tookMS: number | null;
  word: string;
}

/** How far a case came, and how long each step took. */
export function stepsOf(of: Case, events: Event[]): Step[] {
  const moves = events.filter((e) => e.type.startsWith("case."));
  const stateOf = (e: Event) => (e.body as { state?: string } | undefined)?.state;
  const closed = of.state === "closed";
  const came = moves.map(stateOf);
  const last = all.findLast((s) => came.includes(s));
  return all.map((state, n): Step => {
    const i = came.indexOf(state);
    const begun = moves[i];
    if (!begun) {
      const passed = last !== undefined && n < all.indexOf(last);
      const word = passed ? "skipped" : closed ? "not reached" : "";
      return { state, tone: "none", tookMS: null, word };
    }
    const ended = moves.slice(i + 1).find((e) => stateOf(e) !== state);
    const tookMS = ended ? ended.time_ms - begun.time_ms : null;
    if (state !== last) return { state, tone: "good", tookMS, word: "done" };
    if (!closed) return { state, tone: "info", tookMS, word: "under way" };
    const ok = of.outcome === "promoted" || of.outcome === "unchanged";
    return { state, tone: ok ? "good" : "bad", tookMS, word: ok ? "done" : "ended here" };
  });
}

function Steps({ of, events }: { of: Case; events: Event[] }) {
  return (
    <ol className={css.steps}>
      {stepsOf(of, events).map((s) => (
        <li key={s.state} className={css.step} data-tone={s.tone}>
          <span className={css.name}>{names[s.state]}</span>
          {s.word && <StatusBadge state={s.word} tone={s.tone} />}
          {s.tookMS !== null && <span className={css.took}>{duration(s.tookMS)}</span>}
        </li>
      ))}
    </ol>
  );
}

// The card of a decision is of the room of models, which is loaded when one is looked at.
const DecisionCard = lazy(() =>
  import("../models/Checks").then((m) => ({ default: m.DecisionCard })),
);

/** What the gate looked at. */
function Decision({ id }: { id: string }) {
  const { project } = useParams({ from: "/p/$project" });
  const query = useQuery(decisionQuery(project, id));
  const waiting = <Bone height={227} narrow={342} />;
  return (
    <Section title="The gate" about="each check with what it was computed from" flush>
      <Loaded query={query} skeleton={waiting}>
        {({ decision }) => (
          <Suspense fallback={waiting}>
            <DecisionCard project={project} decision={decision} />
          </Suspense>
        )}
      </Loaded>
    </Section>
  );
}

function factsOf(c: Case): [string, React.ReactNode][] {
  const inputs = Object.entries(c.inputs ?? {});
  const facts: [string, React.ReactNode | undefined][] = [
    ["Opened by", c.incident ? <IncidentLink id={c.incident} /> : (causes[c.cause] ?? c.cause)],
    ["Opened", <Time key="o" at={c.opened_at} clock="stream" />],
    ["Closed", c.closed_at && <Time key="c" at={c.closed_at} clock="stream" />],
    ["Version", c.version ? <VersionLink model={c.model} version={c.version} /> : undefined],
    [
      plural(inputs.length, "input"),
      inputs.length > 0 &&
        inputs.map(([name, ref]) => (
          <div key={name}>
            <DatasetLink {...ref} />
          </div>
        )),
    ],
    ["Holdout", c.holdout?.dataset ? <DatasetLink {...c.holdout} /> : undefined],
    ["Settings", c.search ? "searched anew" : "of the last winner"],
    ["Pipeline run", c.pipeline_run && <PipelineLink id={c.pipeline_run} />],
    ["Rollout", c.rollout && <RolloutLink id={c.rollout} />],
    ["Commit", c.commit && <code>{c.commit.slice(0, 12)}</code>],
    ["Revision of fairlead.yaml", c.spec_revision],
  ];
  return facts.filter((f): f is [string, React.ReactNode] => Boolean(f[1]));
}

const causes: Record<string, string> = {
  user: "a person",
  candidate: "a version that became the candidate",
};
