import { Button } from "@mantine/core";
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { ShieldCheck } from "lucide-react";
import { useEffect, useEffectEvent, type ReactNode } from "react";
import { FirstRun } from "../../app/FirstRun";
import { Lines, Loaded } from "../../components/Loaded";
import { Page, Section } from "../../components/Page";
import { Empty, Failed, Failure } from "../../components/State";
import {
  eventPages,
  eventsSince,
  FEW,
  oneEvent,
  verifyLedger,
  type Change,
} from "../../data/events";
import { count, plural } from "../../format/number";
import css from "./audit.module.css";
import { Entry } from "./Entry";
import { Filters } from "./Filters";
import { filterOf, type AuditSearch } from "./search";

/** A list whose newest events took longer than this to come, in ms, is renewed by itself. */
const CALM = 60_000;

/** So many answers without an event are asked for in a row; each is of a tenth of a second. */
const ROUNDS = 20;

/** Everything that has changed in the project, each entry with its proof. */
export function Audit() {
  const { project } = useParams({ from: "/p/$project" });
  const { seq, ...search } = useSearch({ from: "/p/$project/audit" });
  const navigate = useNavigate({ from: "/p/$project/audit" });
  const filter = filterOf(search);
  const queries = useQueryClient();
  const pages = useInfiniteQuery(eventPages(project, filter));
  const since = useQuery(eventsSince(project, filter, pages.data?.pages[0]?.head));
  const whole = useMutation({ mutationFn: verifyLedger });
  const events = [
    ...new Map(
      [...(since.data?.items ?? []), ...(pages.data?.pages.flatMap((p) => p.items) ?? [])].map(
        (e) => [e.seq, e],
      ),
    ).values(),
  ].sort((a, b) => b.seq - a.seq);
  // So many have come that the list begins anew: by itself where that took a while and the
  // reader is at its top, and else when the reader says so. A burst would take away what one reads.
  const many = (since.data?.items.length ?? 0) >= FEW;
  const again = () => {
    queries.setQueryData(
      eventPages(project, filter).queryKey,
      (all) => all && { pages: all.pages.slice(0, 1), pageParams: all.pageParams.slice(0, 1) },
    );
    void pages.refetch();
  };
  const follow = useEffectEvent(() => {
    if (Date.now() - pages.dataUpdatedAt > CALM && window.scrollY === 0) again();
  });
  useEffect(() => {
    if (many) follow();
  }, [many]);
  // A rare kind is looked for further back, until something is found or it takes too long.
  const further = useEffectEvent(() => void pages.fetchNextPage());
  const rounds = pages.data?.pages.length ?? 0;
  const looking =
    pages.hasNextPage && events.length === 0 && rounds < ROUNDS && !pages.isFetchNextPageError;
  useEffect(() => {
    if (looking && !pages.isFetching) further();
  }, [looking, rounds, pages.isFetching]);
  const narrowed = Object.keys(search).length > 0;
  const change = (to: AuditSearch) => void navigate({ search: to, replace: true });
  const open = (n: number | undefined) => change(n === undefined ? search : { ...search, seq: n });
  const row = (e: Change) => (
    <Entry
      key={e.seq}
      event={e}
      opened={e.seq === seq}
      onToggle={() => open(e.seq === seq ? undefined : e.seq)}
    />
  );
  return (
    <Page
      title="Audit"
      about="Every change of the project, numbered and in a Merkle tree; your browser checks each proof itself"
      actions={
        <Button
          variant="default"
          leftSection={<ShieldCheck size={14} aria-hidden />}
          loading={whole.isPending}
          onClick={() => whole.mutate()}
        >
          Verify the whole ledger
        </Button>
      }
    >
      {whole.isError && <Failure error={whole.error} retry={() => whole.mutate()} />}
      {whole.data && (
        <p className={css.whole} role="status">
          <ShieldCheck size={16} aria-hidden />
          <span>
            The server has checked {count(whole.data.events)} events of all projects and{" "}
            {plural(whole.data.checkpoints, "signed checkpoint")}: they hold. Root{" "}
            <code className={css.hash}>{whole.data.root}</code>
          </span>
        </p>
      )}
      <Section title="Filter">
        <Filters search={search} onChange={change} />
      </Section>
      {pages.data && <Failed query={since} />}
      {seq !== undefined && !events.some((e) => e.seq === seq) && pages.isSuccess && (
        <Alone project={project} seq={seq}>
          {row}
        </Alone>
      )}
      <Section title="Events" about="The newest first; new ones come by themselves" flush>
        <Loaded
          query={pages}
          skeleton={
            <div className={css.pad}>
              <Lines n={12} height={38} />
            </div>
          }
          isEmpty={() => events.length === 0 && !pages.hasNextPage}
          empty={
            narrowed ? (
              <Empty title="No event is like that">Take a part of the filter away.</Empty>
            ) : (
              <FirstRun title="Nothing has happened yet">
                Each change of the project is an event here, with its proof.
              </FirstRun>
            )
          }
        >
          {() => (
            <>
              {many && (
                <div className={css.more}>
                  <Button variant="light" loading={pages.isRefetching} onClick={again}>
                    Many have come since: show the newest
                  </Button>
                </div>
              )}
              <ol className={css.list}>{events.map(row)}</ol>
              {looking && (
                <p className={css.looking} role="status">
                  None yet: looking further back…
                </p>
              )}
              {pages.hasNextPage && !looking && (
                <div className={css.more}>
                  <Button
                    variant="default"
                    loading={pages.isFetchingNextPage}
                    onClick={() => void pages.fetchNextPage()}
                  >
                    {events.length === 0 ? "Look further back" : "Show older events"}
                  </Button>
                </div>
              )}
            </>
          )}
        </Loaded>
      </Section>
    </Page>
  );
}

/** An event that the address names and the list has not come to. */
function Alone(props: { project: string; seq: number; children: (e: Change) => ReactNode }) {
  const event = useQuery(oneEvent(props.project, props.seq));
  return (
    <Section title={`Event ${props.seq}`} flush>
      <Loaded query={event} skeleton={<Lines n={1} height={38} />}>
        {(e) =>
          e ? (
            <ol className={css.list}>{props.children(e)}</ol>
          ) : (
            <Empty title={`There is no event ${props.seq} in this project`} />
          )
        }
      </Loaded>
    </Section>
  );
}
