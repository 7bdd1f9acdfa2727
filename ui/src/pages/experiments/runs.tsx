import { Button, Skeleton } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { Trash2 } from "lucide-react";
import { useState } from "react";
import { Page } from "../../components/Page";
import { Failure } from "../../components/State";
import { experimentQuery } from "../../data/experiments";
import { ExperimentActions } from "./ExperimentActions";
import { RunsTable } from "./RunsTable";

/** The runs of an experiment. */
export function ExperimentPage() {
  const { project, experiment } = useParams({ from: "/p/$project/experiments/$experiment" });
  const view = useSearch({ from: "/p/$project/experiments/$experiment" });
  const navigate = useNavigate();
  const known = useQuery(experimentQuery(project, experiment));
  const e = known.data;
  const note = e?.tags["mlflow.note.content"];
  return (
    <Page
      wide
      title={e?.name ?? `Experiment ${experiment}`}
      crumbs={[
        <Link key="all" to="/p/$project/experiments" params={{ project }}>
          Experiments
        </Link>,
      ]}
      about={note ? <ShortNote text={note} /> : undefined}
      actions={e && <ExperimentActions project={project} experiment={e} />}
    >
      {known.isError ? (
        <Failure error={known.error} retry={() => void known.refetch()} />
      ) : e ? (
        <RunsTable
          key={experiment}
          project={project}
          experiment={experiment}
          view={view}
          onView={(search, replace) =>
            void navigate({
              to: "/p/$project/experiments/$experiment",
              params: { project, experiment },
              search,
              replace,
            })
          }
        />
      ) : (
        <TableSkeleton />
      )}
    </Page>
  );
}

function ShortNote({ text }: { text: string }) {
  const [all, setAll] = useState(false);
  const short = text.length > 160 && !all;
  return (
    <>
      {short ? `${text.slice(0, 150)}… ` : text}
      {short && (
        <Button size="compact-xs" variant="subtle" onClick={() => setAll(true)}>
          Show all
        </Button>
      )}
    </>
  );
}

function TableSkeleton() {
  return (
    <div role="status" aria-label="Loading" aria-busy="true">
      <Skeleton height={48} mb={8} />
      <Skeleton height={520} />
    </div>
  );
}

/** The runs of all experiments of a project. */
export function AllRunsPage() {
  const { project } = useParams({ from: "/p/$project/runs" });
  const view = useSearch({ from: "/p/$project/runs" });
  const navigate = useNavigate();
  return (
    <Page
      wide
      title="All runs"
      crumbs={[
        <Link key="all" to="/p/$project/experiments" params={{ project }}>
          Experiments
        </Link>,
      ]}
      actions={
        <Button
          component={Link}
          to={`/p/${project}/experiments/trash`}
          size="xs"
          variant="default"
          leftSection={<Trash2 size={14} aria-hidden />}
        >
          Trash
        </Button>
      }
    >
      <RunsTable
        project={project}
        view={view}
        onView={(search, replace) =>
          void navigate({ to: "/p/$project/runs", params: { project }, search, replace })
        }
      />
    </Page>
  );
}
