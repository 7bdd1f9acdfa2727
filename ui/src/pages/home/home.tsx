import { Skeleton } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { Loaded, Lines } from "../../components/Loaded";
import { Columns, Page, Section } from "../../components/Page";
import { polled } from "../../data/live";
import { overviewQuery, type Overview } from "../../data/overview";
import { Changes } from "./Changes";
import { Endpoints } from "./Endpoints";
import { Loop } from "./Loop";
import { Needs } from "./Needs";
import { Progress } from "./Progress";

const TRAFFIC_MS = 2_000;

/** What a project's people want to see first. */
export function Home() {
  const { project } = useParams({ from: "/p/$project" });
  // No event tells of a request.
  const overview = useQuery({ ...overviewQuery(project), refetchInterval: polled(TRAFFIC_MS) });
  return (
    <Page title={project} about={overview.data && <About overview={overview.data} />}>
      <Loaded query={overview} skeleton={<Waiting />}>
        {(o) => (
          <>
            <Loop overview={o} />
            <Needs needs={o.needs} idle={o.endpoints.length === 0} />
            <Endpoints endpoints={o.endpoints} />
          </>
        )}
      </Loaded>
      <Columns>
        <Changes project={project} />
        <Progress project={project} />
      </Columns>
    </Page>
  );
}

function About({ overview: o }: { overview: Overview }) {
  const { project } = useParams({ from: "/p/$project" });
  const parts = [
    o.owner && `${o.owner} answers for it`,
    o.risk && `${o.risk} risk`,
    o.revision && `revision ${o.revision} of fairlead.yaml`,
  ].filter(Boolean);
  if (parts.length > 0) return <>{parts.join(" · ")}</>;
  return (
    <>
      No fairlead.yaml was applied.{" "}
      <Link to="/p/$project/phases" params={{ project }}>
        What a project needs
      </Link>
    </>
  );
}

/** The layout of what comes. */
function Waiting() {
  return (
    <div style={{ display: "grid", gap: 16 }}>
      <Section title="The loop">
        <Skeleton height={330} />
      </Section>
      <Section title="What needs you">
        <Lines n={3} />
      </Section>
      <Section title="Endpoints">
        <Lines n={3} />
      </Section>
    </div>
  );
}
