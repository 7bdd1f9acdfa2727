import { TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { Search } from "lucide-react";
import { useState } from "react";
import { FirstRun } from "../../app/FirstRun";
import { StatusBadge } from "../../components/Badge";
import { DataTable, type Column } from "../../components/DataTable";
import { CaseLink, VersionLink } from "../../components/links";
import { Lines, Loaded } from "../../components/Loaded";
import { More } from "../../components/More";
import { Page, Section } from "../../components/Page";
import { Empty } from "../../components/State";
import { Time } from "../../components/Time";
import { modelsQuery, type ListedModel } from "../../data/models";
import { count, plural, UNKNOWN } from "../../format/number";
import css from "./models.module.css";
import { few } from "./words";

const REGISTER = `mlflow.sklearn.log_model(model, name="model", registered_model_name="my-model")`;

/** All registered models of a project, with what is live, and what was decided last. */
export function Models() {
  const { project } = useParams({ from: "/p/$project/models" });
  const { name = "" } = useSearch({ from: "/p/$project/models" });
  const models = useInfiniteQuery(modelsQuery(project, name));
  return (
    <Page
      title="Models"
      about="Named models, each with numbered versions. What is live is moved by releases alone."
    >
      <Section title="Registered models" flush>
        <NameFilter key={name} name={name} />
        <Loaded
          query={models}
          skeleton={<Rows />}
          isEmpty={(data) => data.pages.every((page) => page.items.length === 0)}
          empty={<NoModels name={name} />}
        >
          {(data) => (
            <>
              <DataTable
                label="Registered models"
                columns={columns}
                rows={data.pages.flatMap((page) => page.items)}
                rowKey={(m) => m.name}
              />
              <More query={models}>Show more models</More>
            </>
          )}
        </Loaded>
      </Section>
    </Page>
  );
}

function Rows() {
  return (
    <div style={{ padding: 16 }}>
      <Lines n={6} height={22} />
    </div>
  );
}

function NameFilter({ name }: { name: string }) {
  const [typed, setTyped] = useState(name);
  const navigate = useNavigate({ from: "/p/$project/models" });
  const go = useDebouncedCallback(
    (text: string) => void navigate({ search: text === "" ? {} : { name: text }, replace: true }),
    250,
  );
  return (
    <div className={css.bar}>
      <TextInput
        className={css.grow ?? ""}
        aria-label="Find models by name"
        placeholder="Find by name"
        leftSection={<Search size={14} aria-hidden />}
        value={typed}
        autoFocus={name !== ""}
        onChange={(e) => {
          setTyped(e.currentTarget.value);
          go(e.currentTarget.value.trim());
        }}
      />
    </div>
  );
}

function NoModels({ name }: { name: string }) {
  if (name !== "") {
    return (
      <Empty title={`No model has “${name}” in its name`}>
        Capitals make no difference. Empty the field to see all models.
      </Empty>
    );
  }
  return (
    <FirstRun title="There is no model yet">
      <p>
        A pipeline registers its winner. Any client of MLflow can register one too, such as{" "}
        <code className={css.mono}>{REGISTER}</code>
      </p>
    </FirstRun>
  );
}

const columns: Column<ListedModel>[] = [
  {
    id: "name",
    head: "Model",
    sort: (m) => m.name,
    cell: (m) => (
      <div className={css.wide}>
        <Link
          to="/p/$project/models/$model"
          from="/p/$project"
          params={{ model: m.name }}
          className={css.main}
        >
          {m.name}
        </Link>
        {m.description && <div className={css.dim}>{firstLine(m.description)}</div>}
      </div>
    ),
  },
  {
    id: "live",
    head: "Live",
    sort: (m) => m.aliases["live"],
    cell: (m) => <Aliased model={m} alias="live" />,
  },
  {
    id: "candidate",
    head: "Candidate",
    sort: (m) => m.aliases["candidate"],
    cell: (m) => <Aliased model={m} alias="candidate" />,
  },
  {
    id: "newest",
    head: "Newest",
    sort: (m) => m.newest,
    cell: (m) =>
      m.newest === 0 ? (
        UNKNOWN
      ) : (
        <span className={css.inline}>
          <VersionLink model={m.name} version={m.newest} />
          <span className={css.dim}>of {count(m.versions)}</span>
        </span>
      ),
  },
  {
    id: "gate",
    head: "Last gate",
    sort: (m) => m.decision && Date.parse(m.decision.created),
    cell: (m) => <LastGate model={m} />,
  },
  {
    id: "loop",
    head: "Loop",
    sort: (m) => m.case?.state,
    cell: (m) => <LastCase model={m} />,
  },
  {
    id: "updated",
    head: "Changed",
    minor: true,
    sort: (m) => m.updated_ms,
    cell: (m) => <Time at={m.updated_ms} />,
  },
];

function Aliased({ model, alias }: { model: ListedModel; alias: string }) {
  const version = model.aliases[alias];
  return version === undefined ? UNKNOWN : <VersionLink model={model.name} version={version} />;
}

function LastGate({ model }: { model: ListedModel }) {
  const d = model.decision;
  if (!d) return <span className={css.short}>not judged yet</span>;
  return (
    <span className={css.inline}>
      <StatusBadge state={d.result} />
      <VersionLink model={model.name} version={d.version} />
      {d.failed.length > 0 && <span className={css.dim}>{few(d.failed)}</span>}
    </span>
  );
}

function LastCase({ model }: { model: ListedModel }) {
  const c = model.case;
  if (!c) return <span className={css.dim}>{plural(0, "case")}</span>;
  const open = c.state !== "closed";
  return (
    <span className={css.inline}>
      <StatusBadge
        state={open ? c.state : (c.outcome ?? c.state)}
        {...(open ? { tone: "info" as const } : {})}
      />
      <CaseLink id={c.id} />
    </span>
  );
}

function firstLine(text: string): string {
  const line = text.split("\n")[0] ?? "";
  return line.length > 90 ? `${line.slice(0, 89)}…` : line;
}
