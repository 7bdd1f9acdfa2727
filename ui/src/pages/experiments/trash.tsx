import { Button } from "@mantine/core";
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { DataTable, type Column } from "../../components/DataTable";
import { GuardedButton } from "../../components/GuardedButton";
import { Lines, Loaded } from "../../components/Loaded";
import { More } from "../../components/More";
import { Page, Section } from "../../components/Page";
import { Empty, Failed, Failure, failureOf } from "../../components/State";
import { Time } from "../../components/Time";
import { toast } from "../../components/toast";
import { experimentsQuery, settingsQuery, type Experiment } from "../../data/experiments";
import { useMay } from "../../data/may";
import { changeRuns, tableHead, tableWindow, type Rows, type TableRow } from "../../data/runtable";
import { count, plural } from "../../format/number";
import { StatusSign } from "./cells";
import { useKept, useRenew, useTrash } from "./useTrash";

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
  const until = useKept(project);
  const { restore } = useTrash(project);
  const found = useInfiniteQuery(experimentsQuery(project, "", "deleted"));
  const items = found.data?.pages.flatMap((p) => p.items) ?? [];
  const columns: Column<Experiment>[] = [
    {
      id: "name",
      head: "Name",
      sort: (e) => e.name,
      cell: (e) => <ToExperiment project={project} id={e.id} name={e.name} />,
    },
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
      id: "until",
      head: "Removed for good",
      minor: true,
      cell: (e) => <Until at={until(e.deleted_ms ?? 0)} />,
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
      <Loaded
        query={found}
        skeleton={
          <div style={{ padding: 16 }}>
            <Lines n={3} />
          </div>
        }
        isEmpty={() => items.length === 0}
        empty={<Empty title="No experiment is in the trash" />}
      >
        {() => (
          <>
            <DataTable
              label="Deleted experiments"
              columns={columns}
              rows={items}
              rowKey={(e) => e.id}
              initialSort="-deleted"
            />
            <More query={found}>Show more experiments</More>
          </>
        )}
      </Loaded>
    </Section>
  );
}

interface ToExperimentProps {
  project: string;
  id: string;
  name: string;
}

function ToExperiment({ project, id, name }: ToExperimentProps) {
  return (
    <Link to="/p/$project/experiments/$experiment" params={{ project, experiment: id }}>
      {name}
    </Link>
  );
}

/** When something is removed for good, if it ever is. */
function Until({ at }: { at: number | undefined }) {
  return at === undefined ? <>–</> : <Time at={at} />;
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
  const until = useKept(project);
  const change = useMutation({
    mutationFn: ({ runs, kind }: { runs: string[]; kind: "delete" | "restore" }) =>
      changeRuns(project, runs, { kind }, () => undefined),
    onSettled: renew,
    onSuccess: ({ changed, failed }, { kind }) =>
      toast({
        title: `${plural(changed.length, "run")} ${kind === "delete" ? "back in the trash" : "restored"}`,
        ...(failed[0] && { message: failed[0].reason, tone: "bad" }),
        ...(kind === "restore" &&
          changed.length > 0 && {
            action: { label: "Undo", run: () => change.mutate({ runs: changed, kind: "delete" }) },
          }),
      }),
  });
  const restore = (runs: string[]) => change.mutate({ runs, kind: "restore" });
  const experiments = window.data?.page.experiments ?? {};
  const free = (r: TableRow) => experiments[r.experiment]?.deleted_ms === undefined;
  const shown = (window.data?.page.rows ?? []).filter((r) => r.state === "deleted");
  const mine = shown.filter(free);
  const columns: Column<TableRow>[] = [
    {
      id: "name",
      head: "Run",
      cell: (r) => (
        <span style={{ display: "inline-flex", gap: 6, alignItems: "center" }}>
          <StatusSign status={r.status} />
          <Link to="/p/$project/runs/$run" params={{ project, run: r.id }}>
            {r.name}
          </Link>
        </span>
      ),
    },
    {
      id: "experiment",
      head: "Experiment",
      minor: true,
      cell: (r) => (
        <>
          <ToExperiment
            project={project}
            id={r.experiment}
            name={experiments[r.experiment]?.name ?? r.experiment}
          />
          {!free(r) && " (in the trash)"}
        </>
      ),
    },
    { id: "started", head: "Started", minor: true, cell: (r) => <Time at={r.start_ms} /> },
    { id: "deleted", head: "Deleted", cell: (r) => <Time at={r.deleted_ms} /> },
    {
      id: "until",
      head: "Removed for good",
      minor: true,
      cell: (r) => <Until at={until(r.deleted_ms ?? 0)} />,
    },
    {
      id: "restore",
      head: "Restore",
      cell: (r) => (
        <GuardedButton
          size="compact-xs"
          variant="default"
          why={
            free(r) ? why : "Its experiment is in the trash: restore that, and the run comes along"
          }
          disabled={change.isPending}
          aria-label={`Restore ${r.name}`}
          onClick={() => restore([r.id])}
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
        mine.length > 1 && (
          <GuardedButton
            size="compact-xs"
            variant="default"
            why={why}
            disabled={change.isPending}
            onClick={() => restore(mine.map((r) => r.id))}
          >
            Restore these {mine.length}
          </GuardedButton>
        )
      }
    >
      {change.isError && <Failure error={change.error} />}
      {failureOf(head) != null ? (
        <Failed query={head} />
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
