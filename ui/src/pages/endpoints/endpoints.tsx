import { Skeleton } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { FirstRun } from "../../app/FirstRun";
import { StatusBadge } from "../../components/Badge";
import { Loaded } from "../../components/Loaded";
import { Page, Section } from "../../components/Page";
import { Empty, Failed } from "../../components/State";
import { Time } from "../../components/Time";
import {
  environmentsQuery,
  trafficList,
  type Environment,
  type Served,
} from "../../data/endpoints";
import { rolloutsQuery, type Rollout } from "../../data/rollouts";
import { RangePicker } from "./RangePicker";
import { ROLLOUT_ORDER, RolloutTable } from "./RolloutTable";
import { ShareBar } from "./Shares";
import { Variants } from "./Variants";
import { environmentOf, modelOf, rate, rolloutName, rolloutState } from "./words";
import css from "./endpoints.module.css";

const DEFAULT_LAST = "24h";

/** Every environment's endpoints: who answers, how well, and what is under way. */
export function Endpoints() {
  const { project } = useParams({ from: "/p/$project/endpoints" });
  const { last = DEFAULT_LAST } = useSearch({ from: "/p/$project/endpoints" });
  const navigate = useNavigate({ from: "/p/$project/endpoints" });
  const served = useQuery(trafficList(project, { last }));
  const environments = useQuery(environmentsQuery(project));
  const rollouts = useQuery(rolloutsQuery(project));
  const active = (rollouts.data?.items ?? []).filter((r) => r.state !== "finished");
  const waiting = unreleased(environments.data ?? [], served.data?.items ?? []);
  return (
    <Page
      title="Endpoints"
      about="A model in an environment. Traffic goes to its live version, and by rollouts to the next."
      actions={
        <RangePicker
          last={last}
          onLast={(l) => void navigate({ search: (s) => ({ ...s, last: l }), replace: true })}
        />
      }
    >
      <Failed query={rollouts} />
      <Loaded
        query={served}
        skeleton={<Waiting />}
        isEmpty={(page) => page.items.length === 0 && waiting.length === 0}
        empty={
          <Section title="Endpoints">
            <FirstRun title="There are no environments yet">
              <p>
                Environments stand under <code>release</code> in fairlead.yaml. An endpoint begins
                with the first release to one.
              </p>
            </FirstRun>
          </Section>
        }
      >
        {(page) => (
          <>
            {page.items.map((s) => (
              <EndpointCard
                key={s.endpoint}
                project={project}
                served={s}
                rollout={active.find((r) => r.endpoint === s.endpoint)}
              />
            ))}
            {rollouts.data && rollouts.data.items.length > 0 && (
              <Section title="Rollouts" about={ROLLOUT_ORDER} flush>
                <RolloutTable project={project} rollouts={rollouts.data.items} all />
              </Section>
            )}
            {waiting.map((e) => (
              <Section key={e.name} title={`${e.model}@${e.name}`} about={e.strategy}>
                <Empty title="Nothing is released here yet" command={`fairlead release ${e.model}`}>
                  <p>The first version that passes the gate is live at once.</p>
                </Empty>
              </Section>
            ))}
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Waiting() {
  return (
    <Section title="Endpoints">
      <Skeleton height={8} mb={16} />
      <Skeleton height={120} />
    </Section>
  );
}

/** The environments of the file that nothing was released to. */
function unreleased(environments: Environment[], served: Served[]): Environment[] {
  return environments.filter((e) => !served.some((s) => s.endpoint === `${e.model}@${e.name}`));
}

interface EndpointCardProps {
  project: string;
  served: Served;
  rollout: Rollout | undefined;
}

function EndpointCard({ project, served, rollout }: EndpointCardProps) {
  const length = Date.parse(served.to) - Date.parse(served.from);
  const state = rollout && rolloutState(rollout);
  return (
    <Section
      title={served.endpoint}
      flush
      about={
        <>
          {rate(served.total.requests, length)} until{" "}
          <Time at={served.to} clock={served.clock === "event" ? "stream" : "wall"} />
          {served.clock === "event" && " (event time)"}
        </>
      }
      actions={
        <>
          {rollout && state && (
            <Link
              to="/p/$project/rollouts/$rollout"
              params={{ project, rollout: rollout.id }}
              className={css.rollout ?? ""}
            >
              <StatusBadge
                state={rollout.state}
                tone={state.tone}
                label={`${rolloutName(rollout)}: ${state.label}`}
              />
            </Link>
          )}
          <Link
            to="/p/$project/endpoints/$model/$environment"
            params={{
              project,
              model: modelOf(served.endpoint),
              environment: environmentOf(served.endpoint),
            }}
          >
            Open {served.endpoint}
          </Link>
        </>
      }
    >
      <div className={css.shares}>
        <ShareBar variants={served.variants} />
      </div>
      <Variants served={served} label={`Versions of ${served.endpoint}`} />
    </Section>
  );
}
