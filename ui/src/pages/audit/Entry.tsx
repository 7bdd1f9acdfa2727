import { useInViewport } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { ChevronDown, ChevronRight } from "lucide-react";
import { useId, useState } from "react";
import { EventSign } from "../../components/EventSign";
import { ThingLink } from "../../components/ThingLink";
import { Time } from "../../components/Time";
import { proofQuery, type Change } from "../../data/events";
import { thingOf } from "../../data/links";
import css from "./audit.module.css";
import { Details } from "./Details";
import { ProofMark } from "./ProofMark";

interface EntryProps {
  event: Change;
  opened: boolean;
  onToggle: () => void;
}

/** An event in a line; opened, with all that it says and its proof. */
export function Entry({ event: e, opened, onToggle }: EntryProps) {
  const { project } = useParams({ from: "/p/$project" });
  // Proofs are fetched for what has come into sight, and kept.
  const { ref, inViewport } = useInViewport();
  const [seen, setSeen] = useState(false);
  if (inViewport && !seen) setSeen(true);
  const proof = useQuery({ ...proofQuery(project, e), enabled: seen || opened });
  const details = useId();
  const Sign = opened ? ChevronDown : ChevronRight;
  return (
    <li ref={ref} className={css.entry} data-opened={opened || undefined}>
      <div className={css.row}>
        <button
          type="button"
          className={css.toggle}
          aria-expanded={opened}
          aria-controls={details}
          aria-label={`Details of event ${e.seq}`}
          onClick={onToggle}
        >
          <Sign size={15} aria-hidden />
          <span className={css.seq}>{e.seq}</span>
        </button>
        <EventSign event={e} />
        <div className={css.words}>
          <ThingLink thing={thingOf(e)} className={css.sentence}>
            {e.text}
          </ThingLink>
          <div className={css.meta}>
            <code>{e.type}</code>
            <span>by {e.actor}</span>
          </div>
        </div>
        <div className={css.side}>
          <span className={css.when}>
            <Time at={e.time_ms} />
          </span>
          <ProofMark query={proof} />
        </div>
      </div>
      {opened && (
        <div id={details} className={css.details}>
          <Details event={e} query={proof} />
        </div>
      )}
    </li>
  );
}
