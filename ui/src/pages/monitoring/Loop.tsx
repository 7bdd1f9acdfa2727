import { Button, Skeleton, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { Pause, Play } from "lucide-react";
import { useState } from "react";
import { StatusBadge } from "../../components/Badge";
import { CaseLink, Linked, RolloutLink } from "../../components/links";
import { Dialog, DialogButtons } from "../../components/Dialog";
import { GuardedButton } from "../../components/GuardedButton";
import { Loaded } from "../../components/Loaded";
import { Section } from "../../components/Page";
import { Facts } from "../../components/Stat";
import { Failure } from "../../components/State";
import { Time } from "../../components/Time";
import { loopQuery, usePauseLoop, type Explanation } from "../../data/cases";
import { useMay } from "../../data/may";

/** What the loop does for a model now, and why. */
export function Loop({ model }: { model: string }) {
  const { project } = useParams({ from: "/p/$project" });
  const query = useQuery(loopQuery(project, model));
  return (
    <Section
      title={`The loop of ${model}`}
      actions={query.data && <PauseButton model={model} paused={query.data.paused} />}
    >
      <Loaded query={query} skeleton={<Skeleton height={110} />}>
        {(e) => <Facts items={factsOf(e)} />}
      </Loaded>
    </Section>
  );
}

function factsOf(e: Explanation): [string, React.ReactNode][] {
  return [
    [
      "Now",
      e.active ? (
        <>
          <CaseLink id={e.active.id} /> <StatusBadge state={e.active.state} />
          {e.rollout && (
            <>
              {" "}
              <RolloutLink id={e.rollout.id} /> at {e.rollout.percent} %
            </>
          )}
          {e.waits_for && <div>It waits for {plain(e.waits_for)}.</div>}
        </>
      ) : e.paused ? (
        <StatusBadge state="held" label="paused" />
      ) : (
        "no case is active"
      ),
    ],
    ...(e.waiting ?? []).map((c): [string, React.ReactNode] => [
      "Waits",
      <span key={c.id}>
        <CaseLink id={c.id} />: {c.reason}
      </span>,
    ]),
    [
      "An incident",
      e.held
        ? `would start no retraining: ${plain(e.held)}`
        : "that asks for it would start a retraining now",
    ],
    ...(e.note ? [["Last", <Linked key="l">{e.note}</Linked>] as [string, React.ReactNode]] : []),
    [
      "Retrainings",
      e.retrains === 0 ? "none so far" : `${e.retrains} so far${lost(e.failures_in_a_row)}`,
    ],
    ["Event time", <Time key="t" at={e.at} clock="stream" />],
  ];
}

/** How many of the newest retrainings came to nothing. */
const lost = (n: number) =>
  n === 0 ? "" : `, the newest ${n === 1 ? "" : `${n} `}without a new live version`;

/** A text that was written for a terminal: without commands in backquotes, and with times as elsewhere. */
export const plain = (text: string) =>
  text
    .replace(/: `[^`]*`/g, "")
    .replaceAll("`", "")
    .replace(/(\d{4}-\d\d-\d\d)T(\d\d:\d\d):\d\dZ/g, "$1 $2");

function PauseButton({ model, paused }: { model: string; paused: boolean }) {
  const { project } = useParams({ from: "/p/$project" });
  const { why } = useMay("operate");
  const [asks, setAsks] = useState(false);
  const [reason, setReason] = useState("");
  const pause = usePauseLoop(project, model);
  const done = () => {
    setAsks(false);
    setReason("");
    pause.reset();
  };
  const what = paused ? "Resume the loop" : "Pause the loop";
  return (
    <>
      <GuardedButton
        variant="default"
        why={why}
        leftSection={paused ? <Play size={14} aria-hidden /> : <Pause size={14} aria-hidden />}
        onClick={() => setAsks(true)}
      >
        {what}
      </GuardedButton>
      <Dialog opened={asks} onClose={done} title={`${what} of ${model}`}>
        <form
          onSubmit={(e) => {
            e.preventDefault();
            pause.mutate({ paused: !paused, reason }, { onSuccess: done });
          }}
        >
          <p>
            {paused
              ? "Incidents may open cases again. Those that are open are looked at at once."
              : "Incidents will open no cases until it is resumed. A case that is active goes on; people can still open cases."}
          </p>
          <TextInput
            label="Reason"
            description="Kept in the ledger, and shown to who asks why nothing happens"
            value={reason}
            onChange={(e) => setReason(e.currentTarget.value)}
            data-autofocus
          />
          {pause.isError && <Failure error={pause.error} />}
          <DialogButtons>
            <Button variant="default" onClick={done}>
              Cancel
            </Button>
            <Button type="submit" loading={pause.isPending}>
              {what}
            </Button>
          </DialogButtons>
        </form>
      </Dialog>
    </>
  );
}
