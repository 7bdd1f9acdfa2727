import { Skeleton } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { StatusBadge } from "../../components/Badge";
import { Loaded } from "../../components/Loaded";
import { Page, Section } from "../../components/Page";
import { historyQuery } from "../../data/rollouts";
import { DecisionBar } from "./DecisionBar";
import { Evidence, RolloutFacts, TurnTable } from "./Evidence";
import { environmentOf, modelOf, rolloutName, rolloutState } from "./words";

/** The way of one version into one environment: its steps, and the evidence at each. */
export function RolloutPage() {
  const { project, rollout } = useParams({ from: "/p/$project/rollouts/$rollout" });
  const query = useQuery(historyQuery(project, rollout));
  const r = query.data?.rollout;
  const state = r && rolloutState(r);
  return (
    <Page
      title={r ? rolloutName(r) : rollout}
      crumbs={[
        <Link key="all" to="/p/$project/endpoints" params={{ project }}>
          Endpoints
        </Link>,
        ...(r
          ? [
              <Link
                key="endpoint"
                to="/p/$project/endpoints/$model/$environment"
                params={{
                  project,
                  model: modelOf(r.endpoint),
                  environment: environmentOf(r.endpoint),
                }}
              >
                {r.endpoint}
              </Link>,
            ]
          : []),
      ]}
      badge={r && state && <StatusBadge state={r.state} tone={state.tone} label={state.label} />}
      about={r?.state === "running" || r?.outcome === "promoted" ? r.reason : undefined}
    >
      <Loaded query={query} skeleton={<Skeleton height={320} />}>
        {(h) => (
          <>
            <Section title="Steps and evidence" about="times are stream time">
              <Evidence history={h} />
            </Section>
            <Section title="What happened" about="stream time and wall time" flush>
              <TurnTable turns={h.turns} />
            </Section>
            <RolloutFacts history={h} />
          </>
        )}
      </Loaded>
      {r && <DecisionBar project={project} endpoint={r.endpoint} />}
    </Page>
  );
}
