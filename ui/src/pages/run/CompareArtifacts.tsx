import { Anchor, Skeleton } from "@mantine/core";
import { useQueries } from "@tanstack/react-query";
import { File, Folder } from "lucide-react";
import { Swatch } from "../../charts/Swatch";
import { Section } from "../../components/Page";
import { Empty, Failed, failureOf } from "../../components/State";
import { artifactsQuery, type Artifact } from "../../data/artifacts";
import { Content } from "./Artifacts";
import css from "./compare.module.css";
import type { ChartedRun } from "./MetricChart";

interface CompareArtifactsProps {
  project: string;
  runs: readonly ChartedRun[];
  /** The file that is shown of each run; with a slash at its end, a folder. */
  path: string;
  onShow: (path: string) => void;
}

/** The same file of each run, side by side; in a folder, its pictures. */
export function CompareArtifacts({ project, runs, path, onShow }: CompareArtifactsProps) {
  const dir = path.slice(0, path.lastIndexOf("/") + 1);
  const { lists, pending, failed } = useQueries({
    queries: runs.map((r) => artifactsQuery(project, { run: r.id }, dir.replace(/\/$/, ""))),
    combine: (got) => ({
      lists: got.map((g) => g.data?.items ?? []),
      pending: got.some((g) => g.isPending),
      failed: got.find((g) => failureOf(g) != null),
    }),
  });
  if (failed) return <Failed query={failed} />;
  if (pending) {
    return (
      <div role="status" aria-label="Loading" aria-busy="true">
        <Skeleton height={300} />
      </div>
    );
  }
  const entries = [...new Map(lists.flat().map((a) => [a.path, a])).values()].sort(
    (a, b) => Number(b.dir ?? false) - Number(a.dir ?? false) || a.path.localeCompare(b.path),
  );
  const pictures = entries.filter((a) => a.kind === "image").map((a) => a.path);
  const shown = path === dir ? pictures : [path];
  return (
    <Section title="Artifacts" about="the same file of each run">
      <nav className={css.crumbs} aria-label="Folder">
        <Anchor component="button" type="button" size="sm" onClick={() => onShow("")}>
          All files
        </Anchor>
        {dir
          .split("/")
          .filter((p) => p !== "")
          .map((part, i, parts) => (
            <span key={part}>
              /{" "}
              <Anchor
                component="button"
                type="button"
                size="sm"
                onClick={() => onShow(`${parts.slice(0, i + 1).join("/")}/`)}
              >
                {part}
              </Anchor>
            </span>
          ))}
      </nav>
      {entries.length === 0 ? (
        <Empty
          title="None of these runs has files here"
          command={'mlflow.log_artifact("confusion.png")'}
        />
      ) : (
        <ul className={css.files} aria-label="Files">
          {entries.map((a) => (
            <li key={a.path}>
              <Entry
                entry={a}
                among={lists.filter((l) => l.some((b) => b.path === a.path)).length}
                of={runs.length}
                chosen={a.path === path}
                onShow={() => onShow(a.dir ? `${a.path}/` : a.path)}
              />
            </li>
          ))}
        </ul>
      )}
      {shown.length === 0 && entries.length > 0 && (
        <p className={css.hint}>Choose a file to see it of each run.</p>
      )}
      {shown.map((p) => (
        <section key={p} aria-label={p}>
          {path === dir && <h3 className={css.cardHead}>{p.slice(dir.length)}</h3>}
          <div className={css.side}>
            {runs.map((r, i) => (
              <article key={r.id} className={css.card} aria-label={`${p} of ${r.label}`}>
                <h4 className={css.cardHead}>
                  <Swatch n={r.color} />
                  {r.label}
                </h4>
                <OfRun project={project} run={r.id} file={lists[i]?.find((a) => a.path === p)} />
              </article>
            ))}
          </div>
        </section>
      ))}
    </Section>
  );
}

interface EntryProps {
  entry: Artifact;
  among: number;
  of: number;
  chosen: boolean;
  onShow: () => void;
}

function Entry({ entry, among, of, chosen, onShow }: EntryProps) {
  const Sign = entry.dir ? Folder : File;
  return (
    <button type="button" className={css.file} aria-pressed={chosen} onClick={onShow}>
      <Sign size={13} aria-hidden />
      {entry.path.slice(entry.path.lastIndexOf("/") + 1)}
      {among < of && <span className={css.hint}>{`in ${among} of ${of}`}</span>}
    </button>
  );
}

function OfRun(props: { project: string; run: string; file: Artifact | undefined }) {
  const { project, run, file } = props;
  if (!file) return <p className={css.hint}>This run has no such file.</p>;
  return <Content project={project} owner={{ run }} file={file} />;
}
