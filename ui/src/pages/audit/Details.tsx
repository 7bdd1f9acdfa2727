import { Button } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import { CircleCheck, CircleHelp, CircleX, Download } from "lucide-react";
import { Command } from "../../components/Command";
import { CopyButton } from "../../components/CopyButton";
import { Lines, Loaded } from "../../components/Loaded";
import { saveFile } from "../../components/save";
import { Facts } from "../../components/Stat";
import { ThingLink } from "../../components/ThingLink";
import type { Change } from "../../data/events";
import { thingOf } from "../../data/links";
import type { Step, Verdict } from "../../data/proof";
import { absolute, utc } from "../../format/time";
import css from "./audit.module.css";

interface DetailsProps {
  event: Change;
  query: UseQueryResult<{ proof: object; verdict: Verdict }>;
}

/** All that an event says, and what was checked of its proof. */
export function Details({ event: e, query }: DetailsProps) {
  const file = `event-${e.seq}-proof.json`;
  return (
    <>
      <Facts
        items={[
          ["Number", String(e.seq)],
          ["Wall time", `${absolute(e.time_ms)} · ${utc(e.time_ms)}`],
          ["Event time", utc(e.at_ms)],
          ["About", <ThingLink thing={thingOf(e)}>{e.subject}</ThingLink>],
          ["By", e.actor],
          ["Id", <code className={css.hash}>{e.id}</code>],
        ]}
      />
      <div>
        <h3 className={css.title}>
          What it says
          <CopyButton text={JSON.stringify(e.body)} what="Copy the body" />
        </h3>
        <pre className={css.body} tabIndex={0} aria-label="Body of the event">
          {JSON.stringify(e.body, null, 2)}
        </pre>
      </div>
      <div>
        <h3 className={css.title}>Proof</h3>
        <Loaded query={query} skeleton={<Lines n={5} />}>
          {({ proof, verdict }) => (
            <>
              <ul className={css.steps}>
                {verdict.steps.map((s) => (
                  <ProofStep key={s.name} step={s} />
                ))}
              </ul>
              <div className={css.proofActions}>
                <Button
                  variant="default"
                  leftSection={<Download size={14} aria-hidden />}
                  onClick={() => saveFile(file, JSON.stringify(proof, null, 2), "application/json")}
                >
                  Download the proof
                </Button>
                <Command>{`fairlead audit check ${file}`}</Command>
              </div>
            </>
          )}
        </Loaded>
      </div>
    </>
  );
}

function ProofStep({ step: s }: { step: Step }) {
  const [Sign, says, tone] =
    s.holds === true
      ? [CircleCheck, "holds", "good"]
      : s.holds === false
        ? [CircleX, "does not hold", "bad"]
        : [CircleHelp, "was not checked", "none"];
  return (
    <li className={css.step}>
      <Sign size={15} role="img" aria-label={says} className={css.stepSign} data-tone={tone} />
      <div className={css.grow}>
        {s.name}
        <div className={css.meta}>{s.detail}</div>
      </div>
    </li>
  );
}
