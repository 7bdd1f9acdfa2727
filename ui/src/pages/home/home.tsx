import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { Loaded } from "../../components/Loaded";
import { Page, Section } from "../../components/Page";
import { Empty } from "../../components/State";
import { Time } from "../../components/Time";
import { newestEvents } from "../../data/events";

/** What a project's owner wants to see first. */
export function Home() {
  const { project } = useParams({ from: "/p/$project" });
  const events = useQuery(newestEvents(project, 20));
  return (
    <Page title={project}>
      <Section title="What changed">
        <Loaded
          query={events}
          isEmpty={(page) => page.items.length === 0}
          empty={<Empty title="Nothing has happened yet" command="fairlead apply" />}
        >
          {(page) => (
            <ul>
              {page.items.map((e) => (
                <li key={e.seq}>
                  {e.type} {e.subject} <Time at={e.time_ms} />
                </li>
              ))}
            </ul>
          )}
        </Loaded>
      </Section>
    </Page>
  );
}
