import { Button, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { Rows3, Search, Trash2 } from "lucide-react";
import { useState } from "react";
import { StatusBadge } from "../../components/Badge";
import { DataTable, type Column } from "../../components/DataTable";
import { Lines, Loaded } from "../../components/Loaded";
import { More } from "../../components/More";
import { Page, Section } from "../../components/Page";
import { Empty } from "../../components/State";
import { Time } from "../../components/Time";
import { experimentsQuery, type Experiment } from "../../data/experiments";
import { count, plural } from "../../format/number";
import { NewExperiment } from "./ExperimentActions";

const columns = (project: string): Column<Experiment>[] => [
  {
    id: "name",
    head: "Name",
    sort: (e) => e.name,
    cell: (e) => (
      <Link
        to="/p/$project/experiments/$experiment"
        params={{ project, experiment: e.id }}
        style={{ fontWeight: 500, overflowWrap: "anywhere" }}
      >
        {e.name}
      </Link>
    ),
  },
  {
    id: "runs",
    head: "Runs",
    numeric: true,
    sort: (e) => e.activity.runs,
    cell: (e) => count(e.activity.runs),
  },
  {
    id: "running",
    head: "Now",
    sort: (e) => e.activity.running,
    cell: (e) =>
      e.activity.running > 0 ? (
        <StatusBadge state="running" label={`${count(e.activity.running)} running`} />
      ) : (
        "–"
      ),
  },
  {
    id: "last",
    head: "Last activity",
    sort: (e) => e.activity.last_ms || null,
    cell: (e) => <Time at={e.activity.last_ms} />,
  },
  {
    id: "created",
    head: "Made",
    minor: true,
    sort: (e) => e.created_ms,
    cell: (e) => <Time at={e.created_ms} />,
  },
  { id: "id", head: "Id", minor: true, sort: (e) => Number(e.id), cell: (e) => e.id },
];

/** The experiments of a project. */
export function ExperimentsPage() {
  const { project } = useParams({ from: "/p/$project/experiments" });
  const { q = "" } = useSearch({ from: "/p/$project/experiments" });
  const navigate = useNavigate();
  const [typed, setTyped] = useState(q);
  const apply = useDebouncedCallback((text: string) => {
    void navigate({
      to: "/p/$project/experiments",
      params: { project },
      search: text ? { q: text } : {},
      replace: true,
    });
  }, 150);
  const found = useInfiniteQuery(experimentsQuery(project, q, "active"));
  const items = found.data?.pages.flatMap((p) => p.items) ?? [];
  return (
    <Page
      title="Experiments"
      actions={
        <>
          <Button
            component={Link}
            to={`/p/${project}/runs`}
            size="xs"
            variant="default"
            leftSection={<Rows3 size={14} aria-hidden />}
          >
            All runs
          </Button>
          <Button
            component={Link}
            to={`/p/${project}/experiments/trash`}
            size="xs"
            variant="default"
            leftSection={<Trash2 size={14} aria-hidden />}
          >
            Trash
          </Button>
          <NewExperiment project={project} />
        </>
      }
    >
      <Section
        flush
        title="All experiments"
        about={
          found.data && plural(items.length, "experiment") + (found.hasNextPage ? " so far" : "")
        }
        actions={
          <TextInput
            size="xs"
            aria-label="Search experiments by name"
            placeholder="Search by name"
            leftSection={<Search size={14} aria-hidden />}
            value={typed}
            onChange={(e) => {
              setTyped(e.currentTarget.value);
              apply(e.currentTarget.value.trim());
            }}
          />
        }
      >
        <Loaded
          query={found}
          skeleton={
            <div style={{ padding: 16 }}>
              <Lines n={6} />
            </div>
          }
          isEmpty={() => items.length === 0}
          empty={
            q ? (
              <Empty title={`No experiment has “${q}” in its name`} />
            ) : (
              <Empty
                title="No experiments yet"
                command={`export MLFLOW_TRACKING_URI=${globalThis.location.origin}/p/${project}\nmlflow experiments create -n my-experiment`}
              >
                An experiment groups runs. MLflow’s client makes it by set_experiment, and a
                pipeline has its own.
              </Empty>
            )
          }
        >
          {() => (
            <>
              <DataTable
                label="Experiments"
                columns={columns(project)}
                rows={items}
                rowKey={(e) => e.id}
                initialSort="-last"
              />
              <More query={found}>Show more experiments</More>
            </>
          )}
        </Loaded>
      </Section>
    </Page>
  );
}
