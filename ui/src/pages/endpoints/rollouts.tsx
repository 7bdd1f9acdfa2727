import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { Loaded } from "../../components/Loaded";
import { Page, Section } from "../../components/Page";
import { Empty } from "../../components/State";
import { rolloutsQuery } from "../../data/rollouts";
import { RolloutTable } from "./RolloutTable";

/** The rollouts to all endpoints of a project. */
export function Rollouts() {
  const { project } = useParams({ from: "/p/$project/rollouts" });
  const query = useQuery(rolloutsQuery(project));
  return (
    <Page
      title="Rollouts"
      crumbs={[
        <Link key="all" to="/p/$project/endpoints" params={{ project }}>
          Endpoints
        </Link>,
      ]}
    >
      <Section
        title="Of all endpoints"
        about="newest first; stream time, and wall time before the stream began"
        flush
      >
        <Loaded
          query={query}
          isEmpty={(page) => page.items.length === 0}
          empty={
            <Empty title="Nothing was released yet" command="fairlead run">
              <p>A version that passes its gate is rolled out to each environment in turn.</p>
            </Empty>
          }
        >
          {(page) => <RolloutTable project={project} rollouts={page.items} all />}
        </Loaded>
      </Section>
    </Page>
  );
}
