import { Button } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { useMutation } from "@tanstack/react-query";
import { useNavigate, useRouter } from "@tanstack/react-router";
import { ChevronsDownUp, Keyboard, ListTree, RefreshCw, X } from "lucide-react";
import { useCallback, useEffect, useEffectEvent, useMemo, useRef, useState } from "react";
import { CopyButton } from "../../components/CopyButton";
import { Popover } from "../../components/Menu";
import { Failed, Failure, failureOf, Old } from "../../components/State";
import { useNow } from "../../components/now";
import { toast } from "../../components/toast";
import { Problem } from "../../data/client";
import { pageOf } from "../../data/links";
import type { Rows } from "../../data/runtable";
import { plural } from "../../format/number";
import { BulkBar, everything, has, nothing, put, type Selection } from "./BulkBar";
import { ColumnPicker } from "./ColumnPicker";
import { FilterBar } from "./FilterBar";
import { Grid } from "./Grid";
import type { GridColumn } from "./GridRows";
import { HeadMenu } from "./HeadMenu";
import css from "./RunsTable.module.css";
import { NoRuns } from "./NoRuns";
import { cellOf, detail } from "./cells";
import { gridColumns, useColumns, usual } from "./columns";
import { useCurves } from "./useCurves";
import { blocksOf, useRows, type RunsRow } from "./useRows";
import { useRenew } from "./useTrash";
import { changed, keyOf, kindOf, parseSort, type RunsView } from "./view";

interface RunsTableProps {
  project: string;
  /** The experiment whose runs they are; none for those of all. */
  experiment?: string;
  /** It is in the trash, and shows the runs that are there too. */
  deleted?: boolean;
  view: RunsView;
  /** Replaces the view in the address, or goes on to another one. */
  onView: (view: RunsView, replace: boolean) => void;
}

/** The runs of an experiment, or of all, as a table of any size. */
export function RunsTable({ project, experiment, deleted, view, onView }: RunsTableProps) {
  const navigate = useNavigate();
  const router = useRouter();
  const now = useNow();
  const narrow = useMediaQuery("(max-width: 640px)") ?? false;
  const experiments = useMemo(() => (experiment === undefined ? [] : [experiment]), [experiment]);
  const by = useMemo(() => view.by ?? [], [view.by]);
  const sort = parseSort(view.sort);
  const rows: Rows = useMemo(
    () => ({
      project,
      experiments,
      filter: view.q ?? "",
      order: view.sort ? [view.sort] : [],
      nested: !view.flat && by.length === 0,
      state: deleted ? "deleted" : "active",
    }),
    [project, experiments, deleted, view.q, view.sort, view.flat, by],
  );
  const spelt = useColumns(project, experiments, view.cols);
  const names = useMemo(() => {
    const base = spelt ?? usual;
    return experiment === undefined && view.cols === undefined ? ["experiment", ...base] : base;
  }, [spelt, experiment, view.cols]);
  const columns = useMemo(() => gridColumns(names, view, by, narrow), [names, view, by, narrow]);

  const [sight, setSight] = useState({ rows: [0, 30] as const, columns: [0, 12] as const });
  const onSight = useCallback(
    (r: readonly [number, number], c: readonly [number, number]) =>
      setSight({ rows: [r[0], r[1]] as never, columns: [c[0], c[1]] as never }),
    [],
  );
  const blocks = useMemo(() => {
    const isData = (c: GridColumn) => kindOf(c.id) !== "attribute";
    const pinned = columns.filter((c) => c.pinned && isData(c)).map((c) => c.id);
    const free = columns.filter((c) => !c.pinned);
    const all = blocksOf(free.filter(isData).map((c) => c.id));
    const seen = new Set(free.slice(sight.columns[0], sight.columns[1] + 1).map((c) => c.id));
    const blocks = all.filter((b) => b.some((c) => seen.has(c)));
    return [...(pinned.length > 0 || blocks.length === 0 ? blocksOf(pinned) : []), ...blocks];
  }, [columns, sight.columns]);
  const table = useRows({ rows, by, blocks, sight: sight.rows });
  const { row: tableRow, ready, newer, count: rowCount, runs = 0, groups } = table;
  const missing = failureOf(table.first);
  const renew = useRenew(project);

  // What comes to an empty table is seen at once.
  const first = ready && rowCount === 0 && newer > 0;
  const renewNow = useEffectEvent(renew);
  useEffect(() => {
    if (first) renewNow();
  }, [first]);

  const [selected, setSelected] = useState<{
    of: Rows;
    what: Selection;
    whole?: string | undefined;
  }>({
    of: rows,
    what: nothing,
  });
  const { what: selection, whole } =
    selected.of === rows ? selected : { what: nothing, whole: undefined };
  const select = (what: Selection, group?: string) => setSelected({ of: rows, what, whole: group });
  const isWhole = selection.all && selection.runs.size === 0;
  const row = useCallback(
    (i: number): RunsRow | undefined => {
      const r = tableRow(i);
      return (
        r && {
          ...r,
          selected: r.of ? isWhole || r.key === whole : has(selection, r.key),
        }
      );
    },
    [tableRow, selection, isWhole, whole],
  );
  const anchor = useRef<number>(undefined);
  const choose = useMutation({
    mutationFn: (ids: Promise<string[]>) => ids,
    onError: (err) => toast({ title: "Not selected", message: err.message, tone: "bad" }),
  });
  const onSelect = (r: RunsRow, index: number, range: boolean) => {
    const from = range ? anchor.current : undefined;
    anchor.current = index;
    if (from !== undefined) {
      const ids = table.between(Math.min(from, index), Math.max(from, index));
      choose.mutate(ids, { onSuccess: (runs) => select(put(selection, runs, true)) });
    } else if (r.of) {
      choose.mutate(table.inGroup(r.of), {
        onSuccess: (runs) =>
          select(put(selection, runs, !r.selected), r.selected ? undefined : r.key),
      });
    } else select(put(selection, [r.key], !r.selected));
  };

  const curves = useCurves(project, view, blocks.flat(), sight.rows, tableRow);
  const show = view.show;
  const cell = useCallback(
    (r: RunsRow, column: string) =>
      cellOf(r, column, {
        now,
        show: show ?? {},
        by,
        href: (run) => pageOf(project, { kind: "run", id: `${run.experiment}/${run.id}` }),
        experiments: table.experiments,
        curves,
      }),
    [now, show, by, project, table.experiments, curves],
  );
  const [menu, setMenu] = useState<{ column: GridColumn; at: DOMRect }>();
  const [at, setAt] = useState<{ index: number; column: string | undefined }>();
  const onCell = useCallback(
    (index: number, column: string | undefined) => setAt({ index, column }),
    [],
  );
  const set = (change: Parameters<typeof changed>[1]) =>
    onView(changed(view, change), !("q" in change || "sort" in change || "by" in change));

  return (
    <section className={css.table} aria-label="Runs">
      <div className={css.tools}>
        <FilterBar
          project={project}
          experiments={experiments}
          value={view.q ?? ""}
          onApply={(q) => set({ q })}
        />
        <div className={css.buttons}>
          {by.map((key) => (
            <Button
              key={key}
              size="xs"
              variant="light"
              rightSection={<X size={13} aria-hidden />}
              aria-label={`No longer group by ${keyOf(key)}`}
              onClick={() => set({ by: by.filter((b) => b !== key) })}
            >
              by {keyOf(key)}
            </Button>
          ))}
          <Button
            data-tip={
              view.flat ? "Put runs below the runs that started them" : "Show all runs on one level"
            }
            size="xs"
            variant={view.flat ? "default" : "light"}
            aria-pressed={!view.flat}
            disabled={by.length > 0}
            leftSection={<ListTree size={14} aria-hidden />}
            onClick={() => set({ flat: view.flat ? undefined : true })}
          >
            Nested
          </Button>

          <ColumnPicker
            project={project}
            experiments={experiments}
            chosen={view.cols ?? names}
            onChange={(cols) => set({ cols })}
            onReset={() => set({ cols: undefined, w: undefined, pin: undefined, show: undefined })}
          />
          <Popover
            label="Keys"
            align="end"
            target={
              <Button
                size="xs"
                variant="default"
                visibleFrom="sm"
                leftSection={<Keyboard size={14} aria-hidden />}
              >
                Keys
              </Button>
            }
          >
            <dl className={css.keys}>
              {keys.map(([key, what]) => (
                <div key={key}>
                  <dt>
                    <kbd>{key}</kbd>
                  </dt>
                  <dd>{what}</dd>
                </div>
              ))}
            </dl>
          </Popover>
          <CopyButton text={globalThis.location.href} what="Copy the link to this view" />
        </div>
      </div>
      {ready && table.failed && (
        <>
          <Failed query={table.failed} />
          {table.failed.data !== undefined && <Old query={table.failed} />}
        </>
      )}
      <Grid
        label="Runs"
        whole={isWhole}
        columns={columns}
        rows={ready ? rowCount : 20}
        row={row}
        cell={cell}
        onSight={onSight}
        onOpen={(r) => {
          const { run } = r;
          if (run)
            void navigate({
              to: "/p/$project/experiments/$experiment/runs/$run",
              params: { project, experiment: run.experiment, run: run.id },
            });
        }}
        onToggle={table.toggleRow}
        onSelect={onSelect}
        onSelectAll={() => select(isWhole ? nothing : everything)}
        onMenu={(column, head) => setMenu({ column, at: head })}
        onWidth={(column, w) => set({ w: { ...view.w, [column]: w } })}
        onCell={onCell}
      >
        {missing !== null ? (
          isWrong(missing) ? (
            <Failure error={missing} title={UNFOUND} />
          ) : (
            <Failed query={table.first} title={UNFOUND} />
          )
        ) : ready && rowCount === 0 ? (
          <NoRuns
            project={project}
            experiment={experiment}
            deleted={deleted ?? false}
            filtered={view.q !== undefined}
            onClear={() => set({ q: undefined })}
          />
        ) : undefined}
      </Grid>
      {!deleted && (
        <BulkBar
          rows={rows}
          selection={selection}
          total={runs}
          onSelect={select}
          onCompare={(ids) =>
            router.history.push(`/p/${encodeURIComponent(project)}/compare?runs=${ids.join(",")}`)
          }
        />
      )}
      <footer className={css.foot}>
        <span role="status">
          {!ready
            ? missing === null && "Loading"
            : groups === undefined
              ? plural(runs, "run")
              : `${plural(runs, "run")} in ${plural(groups, "group")}${groups > 1000 ? ", the 1,000 largest are shown" : ""}`}
        </span>
        {newer > 0 && (
          <Button
            size="compact-xs"
            variant="light"
            leftSection={<RefreshCw size={12} aria-hidden />}
            onClick={renew}
          >
            {newer >= 1000 ? "1,000 or more new runs" : plural(newer, "new run")}
          </Button>
        )}
        <span className={css.detail}>{at && detail(tableRow(at.index), at.column, by)}</span>
        {by.length > 0 && (
          <Button
            size="compact-xs"
            variant="subtle"
            leftSection={<ChevronsDownUp size={12} aria-hidden />}
            onClick={table.closeAll}
          >
            Close all
          </Button>
        )}
      </footer>
      {menu && (
        <HeadMenu
          column={columns.find((c) => c.id === menu.column.id) ?? menu.column}
          at={menu.at}
          view={view}
          columns={columns.map((c) => c.id)}
          sort={sort}
          onChange={set}
          onClose={() => setMenu(undefined)}
        />
      )}
    </section>
  );
}

const UNFOUND = "The runs could not be found";

/** Whether asking again gives the same answer: what was asked for is wrong. */
const isWrong = (err: unknown) => err instanceof Problem && err.status === 400;

const keys = [
  ["↑ ↓ ← →", "move; Home, End, Page keys leap"],
  ["Space", "select; with Shift up to here"],
  ["Enter", "open the run, or a head's menu"],
  ["Shift →", "show the rows below, Shift ← hides them"],
  ["Ctrl Home", "first run; Ctrl End the last"],
] as const;
