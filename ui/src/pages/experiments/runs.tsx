import { Button, Skeleton } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { Trash2 } from "lucide-react";
import { useState } from "react";
import { StatusBadge } from "../../components/Badge";
import { Page } from "../../components/Page";
import { Failed, failureOf } from "../../components/State";
import { Trashed } from "../../components/Trashed";
import { experimentQuery, type Experiment } from "../../data/experiments";
import { useMay } from "../../data/may";
import { ExperimentActions } from "./ExperimentActions";
import { RunsTable } from "./RunsTable";
import { useKept, useTrash } from "./useTrash";

/** The runs of an experiment. */
export function ExperimentPage() {
  const { project, experiment } = useParams({ from: "/p/$project/experiments/$experiment" });
  const view = useSearch({ from: "/p/$project/experiments/$experiment" });
  const navigate = useNavigate();
  const known = useQuery(experimentQuery(project, experiment));
  const e = known.data;
  const note = e?.tags["mlflow.note.content"];
  const deleted = e?.state === "deleted";
  return (
    <Page
      wide
      title={e?.name ?? `Experiment ${experiment}`}
      crumbs={[
        <Link key="all" to="/p/$project/experiments" params={{ project }}>
          Experiments
        </Link>,
      ]}
      badge={deleted && <StatusBadge state="deleted" tone="warn" label="in the trash" />}
      about={note ? <ShortNote text={note} /> : undefined}
      actions={e && <ExperimentActions project={project} experiment={e} />}
    >
      {deleted && <InTrash project={project} experiment={e} />}
      {e ? (
        <RunsTable
          key={experiment}
          project={project}
          experiment={experiment}
          deleted={deleted}
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
      ) : failureOf(known) != null ? (
        <Failed query={known} />
      ) : (
        <TableSkeleton />
      )}
    </Page>
  );
}

function InTrash({ project, experiment: e }: { project: string; experiment: Experiment }) {
  const { why } = useMay("track");
  const { restore } = useTrash(project);
  const since = e.deleted_ms ?? 0;
  return (
    <Trashed
      what="This experiment"
      with="the runs that went with it"
      since={since}
      until={useKept(project)(since)}
      action="Restore"
      why={why}
      pending={restore.isPending}
      onRestore={() => restore.mutate(e)}
    />
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
