import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Lines, Loaded } from "../../components/Loaded";
import { Section } from "../../components/Page";
import { phasesQuery, type Phase } from "../../data/overview";
import { Meter } from "./Meter";
import css from "./home.module.css";

/** How far the project is in each phase of CRISP-DM. */
export function Progress({ project }: { project: string }) {
  const phases = useQuery(phasesQuery(project));
  return (
    <Section
      title="CRISP-DM"
      about="Six phases, answered by facts"
      flush
      actions={
        <Link to="/p/$project/phases" params={{ project }} className={css.more}>
          All checks
        </Link>
      }
    >
      <Loaded
        query={phases}
        skeleton={
          <div className={css.pad}>
            <Lines n={6} height={24} />
          </div>
        }
      >
        {(all) => (
          <ul className={css.list}>
            {all.map((p) => (
              <li key={p.name} className={css.item}>
                <div className={css.grow}>
                  <Link
                    to="/p/$project/phases"
                    params={{ project }}
                    hash={p.name}
                    className={css.strong}
                  >
                    {p.title}
                  </Link>
                  <p className={css.text}>{nextOf(p)}</p>
                </div>
                <Marks phase={p} />
              </li>
            ))}
          </ul>
        )}
      </Loaded>
    </Section>
  );
}

/** What of a phase does not hold, or is not there yet. */
function nextOf(p: Phase): string {
  const check =
    p.checks.find((c) => c.state === "attention") ?? p.checks.find((c) => c.state === "open");
  return check ? `${check.name}: ${check.fact}` : "All of its checks hold";
}

/** How many of a phase's checks hold. */
function Marks({ phase: p }: { phase: Phase }) {
  return (
    <span className={css.marks}>
      <span className={css.dim}>
        {p.done} of {p.checks.length}
      </span>
      <Meter phase={p} />
    </span>
  );
}
