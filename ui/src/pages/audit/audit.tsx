import { Button } from "@mantine/core";
import { useInfiniteQuery, useMutation, useQuery } from "@tanstack/react-query";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { ShieldCheck } from "lucide-react";
import { useEffect, useEffectEvent, type ReactNode } from "react";
import { Lines, Loaded } from "../../components/Loaded";
import { Page, Section } from "../../components/Page";
import { Empty, Failure } from "../../components/State";
import { eventPages, eventsSince, oneEvent, verifyLedger, type Change } from "../../data/events";
import { count, plural } from "../../format/number";
import css from "./audit.module.css";
import { Entry } from "./Entry";
import { Filters } from "./Filters";
import { filterOf, type AuditSearch } from "./search";

/** Everything that has changed in the project, each entry with its proof. */
export function Audit() {
  const { project } = useParams({ from: "/p/$project" });
  const { seq, ...search } = useSearch({ from: "/p/$project/audit" });
  const navigate = useNavigate({ from: "/p/$project/audit" });
  const filter = filterOf(search);
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
  // So many have come that the pages begin anew.
  const again = useEffectEvent(() => pages.refetch());
  const many = Boolean(since.data?.next);
  useEffect(() => {
    if (many) void again();
  }, [many]);
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
      {since.isError && <Failure error={since.error} retry={() => void since.refetch()} />}
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
              <Empty title="Nothing has happened yet" command="fairlead apply">
                Each change of the project is an event here, with its proof.
              </Empty>
            )
          }
        >
          {() => (
            <>
              <ol className={css.list}>{events.map(row)}</ol>
              {pages.hasNextPage && (
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
