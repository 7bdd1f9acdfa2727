import { useQuery } from "@tanstack/react-query";
import { useLocation, useParams } from "@tanstack/react-router";
import { CircleAlert, CircleCheck, CircleDashed, type LucideIcon } from "lucide-react";
import { useEffect } from "react";
import { Command } from "../../components/Command";
import { Lines, Loaded } from "../../components/Loaded";
import { Columns, Page, Section } from "../../components/Page";
import { ThingLink } from "../../components/ThingLink";
import { phasesQuery, type Check, type Phase } from "../../data/overview";
import { Meter } from "./Meter";
import css from "./phases.module.css";

const titles = [
  "Business understanding",
  "Data understanding",
  "Data preparation",
  "Modelling",
  "Evaluation",
  "Deployment",
];

/** A project in the six phases of CRISP-DM, each as a checklist that facts answer. */
export function Phases() {
  const { project } = useParams({ from: "/p/$project" });
  const phases = useQuery(phasesQuery(project));
  const hash = useLocation({ select: (l) => l.hash });
  const loaded = phases.data !== undefined;
  useEffect(() => {
    if (loaded && hash !== "") document.getElementById(hash)?.scrollIntoView({ block: "start" });
  }, [loaded, hash]);
  return (
    <Page
      title="CRISP-DM"
      about="The six phases as checklists. Nobody ticks them: each check is answered by a fact of the project."
    >
      <Loaded query={phases} skeleton={<Waiting />}>
        {(all) => (
          <Columns>
            {all.map((p, i) => (
              <PhaseCard key={p.name} phase={p} n={i + 1} />
            ))}
          </Columns>
        )}
      </Loaded>
    </Page>
  );
}

function PhaseCard({ phase: p, n }: { phase: Phase; n: number }) {
  return (
    <div id={p.name}>
      <Section
        title={`${n} ${p.title}`}
        about={`${p.done} of ${p.checks.length}`}
        flush
        actions={<Meter phase={p} />}
      >
        <p className={css.about}>{p.about}</p>
        <ul className={css.checks}>
          {p.checks.map((c) => (
            <CheckItem key={c.name} check={c} />
          ))}
        </ul>
      </Section>
    </div>
  );
}

const signs: Record<Check["state"], [sign: LucideIcon, says: string]> = {
  done: [CircleCheck, "holds"],
  open: [CircleDashed, "is not there yet"],
  attention: [CircleAlert, "needs attention"],
};

function CheckItem({ check: c }: { check: Check }) {
  const [Sign, says] = signs[c.state];
  return (
    <li className={css.check}>
      <Sign size={16} className={css.sign} data-state={c.state} role="img" aria-label={says} />
      <div className={css.grow}>
        <span className={css.name}>{c.name}</span>
        <p className={css.fact}>
          {c.link ? <ThingLink thing={c.link}>{c.fact}</ThingLink> : c.fact}
        </p>
        {c.next && (
          <Command label={c.next.startsWith("fairlead ") ? "command" : "lines of fairlead.yaml"}>
            {c.next}
          </Command>
        )}
      </div>
    </li>
  );
}

function Waiting() {
  return (
    <Columns>
      {titles.map((title, i) => (
        <Section key={title} title={`${i + 1} ${title}`}>
          <Lines n={6} height={34} />
        </Section>
      ))}
    </Columns>
  );
}
