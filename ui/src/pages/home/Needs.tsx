import { Activity, CirclePause, CircleX, Hand, TriangleAlert, type LucideIcon } from "lucide-react";
import { Section } from "../../components/Page";
import { ThingLink } from "../../components/ThingLink";
import { Time } from "../../components/Time";
import type { Need } from "../../data/overview";
import { plural } from "../../format/number";
import { useFew } from "./few";
import css from "./home.module.css";

const signs: Record<string, LucideIcon> = {
  incident: Activity,
  rollout: Hand,
  endpoint: TriangleAlert,
  loop: CirclePause,
  case: CircleX,
};

/** How many are shown before somebody asks for all. */
const FEW = 5;

/** What waits for a human, the most pressing first. */
export function Needs({ needs, idle }: { needs: readonly Need[]; idle: boolean }) {
  const [shown, all] = useFew(needs, FEW, "things");
  return (
    <Section
      title="What needs you"
      about={needs.length > 0 ? plural(needs.length, "thing") : undefined}
      flush
    >
      {needs.length === 0 ? (
        <p className={css.calm}>
          Nothing waits for a human.{!idle && " The loop goes on by itself."}
        </p>
      ) : (
        <ul className={css.list}>
          {shown.map((n) => {
            const Sign = signs[n.kind] ?? TriangleAlert;
            return (
              <li key={`${n.kind} ${n.link.id}`} className={css.item}>
                <Sign size={16} aria-hidden className={css.needSign} data-kind={n.kind} />
                <div className={css.grow}>
                  <ThingLink thing={n.link} className={css.strong}>
                    {n.title}
                  </ThingLink>
                  <p className={css.text}>{n.text}</p>
                </div>
                {n.at && (
                  <span className={css.when}>
                    <Time at={n.at} clock="stream" />
                  </span>
                )}
              </li>
            );
          })}
        </ul>
      )}
      {all}
    </Section>
  );
}
