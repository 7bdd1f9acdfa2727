import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ArrowRight, Box, Database, FlaskConical, Package } from "lucide-react";
import type { ReactNode } from "react";
import { StatusBadge } from "../../components/Badge";
import { To } from "../../components/links";
import { Section } from "../../components/Page";
import { pipelineRun } from "../../data/pipelines";
import type { TrackedRun } from "../../data/run";
import { count, plural } from "../../format/number";
import css from "./Lineage.module.css";

/** What a run read, and what became of it: from data over the run to models and versions. */
export function Lineage({ project, run }: { project: string; run: TrackedRun }) {
  const id = run.tags["fairlead.pipeline_run"];
  const pipeline = useQuery({ ...pipelineRun(project, id ?? ""), enabled: id !== undefined });
  const inputs = Object.entries(pipeline.data?.inputs ?? {});
  return (
    <Section title="Lineage" about="what it read, and what became of it">
      <ol className={css.flow}>
        <Stage
          title="Read"
          none={run.datasets.length + run.model_inputs.length + inputs.length === 0}
        >
          {inputs.map(([name, ref]) => (
            <Item
              key={`in ${name}`}
              sign={<Database size={14} aria-hidden />}
              kind="Dataset version"
            >
              <To path={`data/${encodeURIComponent(ref.dataset)}/${ref.n}`}>
                {ref.dataset} version {ref.n}
              </To>
            </Item>
          ))}
          {run.datasets.map((d) => (
            <Item
              key={`${d.name} ${d.digest}`}
              sign={<Database size={14} aria-hidden />}
              kind={d.tags["mlflow.data.context"] ?? "Dataset"}
            >
              {d.name} <code>{d.digest}</code>
              <span className={css.more}>{sourceOf(d.source)}</span>
              <span className={css.more}>{sizeOf(d.profile, d.schema)}</span>
            </Item>
          ))}
          {run.model_inputs.map((m) => (
            <Item key={m.id} sign={<Box size={14} aria-hidden />} kind="Logged model">
              {m.name ?? m.id}
            </Item>
          ))}
        </Stage>
        <Stage title="Run" none={false}>
          <Item sign={<FlaskConical size={14} aria-hidden />} kind="This run">
            <b>{run.name || run.id}</b>
          </Item>
          {id !== undefined && (
            <Item sign={<FlaskConical size={14} aria-hidden />} kind="Pipeline run">
              <Link to="/p/$project/pipelines/$run" params={{ project, run: id }}>
                {id}
              </Link>
              {pipeline.data && <StatusBadge state={pipeline.data.state} />}
            </Item>
          )}
        </Stage>
        <Stage title="Made" none={run.model_outputs.length === 0}>
          {run.model_outputs.map((m) => (
            <Item key={m.id} sign={<Box size={14} aria-hidden />} kind="Logged model">
              {m.name ?? `${m.id} (deleted)`}
              {m.status && <StatusBadge state={m.status} />}
            </Item>
          ))}
        </Stage>
        <Stage title="Registered" none={run.versions.length === 0}>
          {run.versions.map((v) => (
            <Item
              key={`${v.model} ${v.n}`}
              sign={<Package size={14} aria-hidden />}
              kind="Model version"
            >
              <To path={`models/${encodeURIComponent(v.model)}/versions/${v.n}`}>
                {v.model} version {v.n}
              </To>
              {v.aliases.length > 0 && <span className={css.more}>{v.aliases.join(", ")}</span>}
            </Item>
          ))}
        </Stage>
      </ol>
    </Section>
  );
}

function Stage({ title, none, children }: { title: string; none: boolean; children: ReactNode }) {
  return (
    <li className={css.stage}>
      <h3 className={css.title}>
        <ArrowRight size={14} className={css.arrow} aria-hidden />
        {title}
      </h3>
      {none ? <p className={css.none}>nothing</p> : <ul className={css.items}>{children}</ul>}
    </li>
  );
}

function Item({ sign, kind, children }: { sign: ReactNode; kind: string; children: ReactNode }) {
  return (
    <li className={css.item}>
      <span className={css.kind}>
        {sign} {kind}
      </span>
      <span className={css.what}>{children}</span>
    </li>
  );
}

function fieldsOf(json: string | undefined): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(json ?? "");
    return typeof parsed === "object" && parsed !== null ? { ...parsed } : {};
  } catch {
    return {};
  }
}

/** Where a dataset lies, as its client noted it. */
export function sourceOf(source: string): string {
  const { uri, path, url } = fieldsOf(source);
  const said = [uri, path, url].find((v) => typeof v === "string");
  return typeof said === "string" ? said : source.startsWith("{") ? "" : source;
}

/** How large a dataset is, as its client noted it. */
export function sizeOf(profile: string | undefined, schema: string | undefined): string {
  const rows = fieldsOf(profile)["num_rows"];
  const columns = fieldsOf(schema)["mlflow_colspec"];
  return [
    ...(typeof rows === "number" ? [`${count(rows)} rows`] : []),
    ...(Array.isArray(columns) ? [plural(columns.length, "column")] : []),
  ].join(", ");
}
