import { Button } from "@mantine/core";
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { DataTable, type Column } from "../../components/DataTable";
import { GuardedButton } from "../../components/GuardedButton";
import { Lines, Loaded } from "../../components/Loaded";
import { Page, Section } from "../../components/Page";
import { Empty, Failure } from "../../components/State";
import { Time } from "../../components/Time";
import { toast } from "../../components/toast";
import {
  experimentsQuery,
  restoreExperiment,
  settingsQuery,
  type Experiment,
} from "../../data/experiments";
import { useMay } from "../../data/may";
import { changeRuns, tableHead, tableWindow, type Rows, type TableRow } from "../../data/runtable";
import { count, plural } from "../../format/number";
import { useRenew } from "./ExperimentActions";
import { StatusSign } from "./cells";

/** What was deleted, and can be restored until it is removed for good. */
export function TrashPage() {
  const { project } = useParams({ from: "/p/$project/experiments/trash" });
  const settings = useQuery(settingsQuery(project));
  const keep = settings.data?.keep_deleted;
  return (
    <Page
      title="Trash"
      crumbs={[
        <Link key="all" to="/p/$project/experiments" params={{ project }}>
          Experiments
        </Link>,
      ]}
      about={
        keep && keep !== "forever"
          ? `What is deleted can be restored for ${keep}; then it is removed for good, with its artifacts.`
          : "What is deleted can be restored until it is removed for good, with its artifacts."
      }
    >
      <DeletedExperiments project={project} />
      <DeletedRuns project={project} />
    </Page>
  );
}

function DeletedExperiments({ project }: { project: string }) {
  const { why } = useMay("track");
  const renew = useRenew(project);
  const found = useInfiniteQuery(experimentsQuery(project, "", "deleted"));
  const items = found.data?.pages.flatMap((p) => p.items) ?? [];
  const restore = useMutation({
    mutationFn: (e: Experiment) => restoreExperiment(project, e.id),
    onSettled: renew,
    onSuccess: (_, e) => toast({ title: `${e.name} restored` }),
  });
  const columns: Column<Experiment>[] = [
    { id: "name", head: "Name", sort: (e) => e.name, cell: (e) => e.name },
    {
      id: "runs",
      head: "Runs",
      numeric: true,
      sort: (e) => e.activity.runs,
      cell: (e) => count(e.activity.runs),
    },
    {
      id: "deleted",
      head: "Deleted",
      sort: (e) => e.deleted_ms,
      cell: (e) => <Time at={e.deleted_ms} />,
    },
    {
      id: "restore",
      head: "Restore",
      cell: (e) => (
        <GuardedButton
          size="compact-xs"
          variant="default"
          why={why}
          disabled={restore.isPending}
          aria-label={`Restore ${e.name}`}
          onClick={() => restore.mutate(e)}
        >
          Restore
        </GuardedButton>
      ),
    },
  ];
  return (
    <Section title="Experiments" flush>
      {restore.isError && <Failure error={restore.error} />}
      {found.isError && <Failure error={found.error} retry={() => void found.refetch()} />}
      {found.data === undefined && !found.isError && (
        <div role="status" aria-label="Loading" aria-busy="true" style={{ padding: 16 }}>
          <Lines n={3} />
        </div>
      )}
      {found.data && items.length === 0 && <Empty title="No experiment is in the trash" />}
      {items.length > 0 && (
        <DataTable
          label="Deleted experiments"
          columns={columns}
          rows={items}
          rowKey={(e) => e.id}
          initialSort="-deleted"
        />
      )}
      {found.hasNextPage && (
        <Button variant="subtle" fullWidth onClick={() => void found.fetchNextPage()}>
          Show more
        </Button>
      )}
    </Section>
  );
}

const PAGE = 50;

function DeletedRuns({ project }: { project: string }) {
  const { why } = useMay("track");
  const renew = useRenew(project);
  const [wanted, setOffset] = useState(0);
  const rows: Rows = useMemo(
    () => ({ project, experiments: [], filter: "", order: [], nested: false, state: "deleted" }),
    [project],
  );
  const head = useQuery(tableHead(rows));
  const total = head.data?.total ?? 0;
  // What is restored at the end leaves the pages before it.
  const offset = Math.min(wanted, Math.floor(Math.max(0, total - 1) / PAGE) * PAGE);
  const window = useQuery({
    ...tableWindow(useQueryClient(), rows, {
      snapshot: head.data?.snapshot ?? "",
      under: "",
      offset,
      limit: PAGE,
      select: [],
    }),
    enabled: head.data !== undefined,
  });
  const restore = useMutation({
    mutationFn: (runs: string[]) => changeRuns(project, runs, { kind: "restore" }, () => undefined),
    onSettled: renew,
    onSuccess: (bulk) =>
      toast({
        title: `${plural(bulk.changed.length, "run")} restored`,
        ...(bulk.failed[0] && { message: bulk.failed[0].reason, tone: "bad" }),
      }),
  });
  const shown = (window.data?.page.rows ?? []).filter((r) => r.state === "deleted");
  const columns: Column<TableRow>[] = [
    {
      id: "name",
      head: "Run",
      cell: (r) => (
        <span style={{ display: "inline-flex", gap: 6, alignItems: "center" }}>
          <StatusSign status={r.status} /> {r.name}
        </span>
      ),
    },
    { id: "experiment", head: "Experiment", cell: (r) => r.experiment, minor: true },
    { id: "started", head: "Started", minor: true, cell: (r) => <Time at={r.start_ms} /> },
    { id: "deleted", head: "Deleted", cell: (r) => <Time at={r.deleted_ms} /> },
    {
      id: "restore",
      head: "Restore",
      cell: (r) => (
        <GuardedButton
          size="compact-xs"
          variant="default"
          why={why}
          disabled={restore.isPending}
          aria-label={`Restore ${r.name}`}
          onClick={() => restore.mutate([r.id])}
        >
          Restore
        </GuardedButton>
      ),
    },
  ];
  return (
    <Section
      title="Runs"
      flush
      about={head.data && plural(total, "run")}
      actions={
        shown.length > 1 && (
          <GuardedButton
            size="compact-xs"
            variant="default"
            why={why}
            disabled={restore.isPending}
            onClick={() => restore.mutate(shown.map((r) => r.id))}
          >
            Restore these {shown.length}
          </GuardedButton>
        )
      }
    >
      {restore.isError && <Failure error={restore.error} />}
      {head.isError ? (
        <Failure error={head.error} retry={() => void head.refetch()} />
      ) : (
        <Loaded
          query={window}
          skeleton={<Lines n={5} />}
          isEmpty={() => shown.length === 0}
          empty={<Empty title="No run is in the trash" />}
        >
          {() => (
            <DataTable label="Deleted runs" columns={columns} rows={shown} rowKey={(r) => r.id} />
          )}
        </Loaded>
      )}
      {total > PAGE && (
        <div style={{ display: "flex", gap: 8, justifyContent: "center", padding: 8 }}>
          <Button
            size="compact-sm"
            variant="subtle"
            disabled={offset === 0}
            onClick={() => setOffset(offset - PAGE)}
          >
            Newer
          </Button>
          <span>
            {count(offset + 1)} to {count(Math.min(offset + PAGE, total))} of {count(total)}
          </span>
          <Button
            size="compact-sm"
            variant="subtle"
            disabled={offset + PAGE >= total}
            onClick={() => setOffset(offset + PAGE)}
          >
            Older
          </Button>
        </div>
      )}
    </Section>
  );
}
