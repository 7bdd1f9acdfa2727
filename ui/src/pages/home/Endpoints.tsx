import { StatusBadge, type Tone } from "../../components/Badge";
import { Section } from "../../components/Page";
import { Empty } from "../../components/State";
import { ThingLink } from "../../components/ThingLink";
import { Time } from "../../components/Time";
import type { EndpointHealth } from "../../data/overview";
import { value } from "../../format/number";
import css from "./home.module.css";

const tones: Record<EndpointHealth["health"], Tone> = {
  healthy: "good",
  incident: "warn",
  loading: "info",
  failing: "bad",
  empty: "none",
};

/** How each endpoint does, in a line. */
export function Endpoints({ endpoints }: { endpoints: readonly EndpointHealth[] }) {
  return (
    <Section title="Endpoints" flush>
      {endpoints.length === 0 ? (
        <Empty title="Nothing is served yet" command="fairlead run">
          A version that passes the gate is released to the environments of fairlead.yaml.
        </Empty>
      ) : (
        <ul className={css.list}>
          {endpoints.map((e) => (
            <li key={e.endpoint} className={css.item}>
              <div className={css.grow}>
                <div className={css.line}>
                  <ThingLink thing={{ kind: "endpoint", id: e.endpoint }} className={css.strong}>
                    {e.endpoint}
                  </ThingLink>
                  <StatusBadge
                    state={e.health}
                    tone={tones[e.health]}
                    {...(e.health === "incident" ? { label: "open incident" } : {})}
                  />
                </div>
                <p className={css.text}>{e.failure ?? serves(e)}</p>
                <div className={css.verdicts}>
                  <Verdict name="Drift" verdict={e.drift} />
                  <Verdict name="Performance" verdict={e.performance} />
                </div>
              </div>
              {e.at && (
                <span className={css.when}>
                  <Time at={e.at} clock="stream" />
                </span>
              )}
            </li>
          ))}
        </ul>
      )}
    </Section>
  );
}

function serves(e: EndpointHealth): string {
  const live = e.live ? `Version ${e.live} answers` : "No version answers";
  const r = e.rollout;
  if (!r) return live;
  return r.strategy === "shadow"
    ? `${live}; version ${r.to} scores as a shadow`
    : `${live}; version ${r.to} answers ${value(r.percent)} % as a ${r.strategy}`;
}

function Verdict({ name, verdict: v }: { name: string; verdict: EndpointHealth["drift"] }) {
  if (!v) return null;
  return (
    <span className={css.verdict}>
      <span className={css.dim}>{name}</span>
      <StatusBadge state={v.state} />
      {v.state !== "unknown" && (
        <span>
          {value(v.value, 3)} <span className={css.dim}>limit {value(v.limit, 3)}</span>
        </span>
      )}
    </span>
  );
}
