import { Button, SegmentedControl, Skeleton } from "@mantine/core";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import {
  Box,
  ChevronDown,
  ChevronRight,
  Download,
  File,
  FileImage,
  FileText,
  Folder,
  Table2,
} from "lucide-react";
import { useState } from "react";
import { CopyButton } from "../../components/CopyButton";
import { Lines, Loaded } from "../../components/Loaded";
import { Empty, Failed, failureOf } from "../../components/State";
import {
  artifactsQuery,
  contentURL,
  tableQuery,
  textQuery,
  type Artifact,
  type Owner,
} from "../../data/artifacts";
import { bytes, count, plural } from "../../format/number";
import css from "./Artifacts.module.css";

/** A place whose files can be looked through. */
export interface Root {
  name: string;
  owner: Owner;
  /** In the address; empty for the run's own. */
  id: string;
}

interface ArtifactsProps {
  project: string;
  roots: readonly Root[];
  /** The file that is shown, and of which root it is. */
  of: string;
  path: string;
  onShow: (of: string, path: string) => void;
  /** Files may still come, and change. */
  live: boolean;
}

/** The files of a run and of its models at the left, and one of them at the right. */
export function Artifacts({ project, roots, of, path, onShow, live }: ArtifactsProps) {
  const root = roots.find((r) => r.id === of) ?? roots[0];
  const dir = path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "";
  const around = useQuery({
    ...artifactsQuery(project, root?.owner ?? { run: "" }, dir, live),
    enabled: root !== undefined && path !== "",
  });
  const file = around.data?.items.find((a) => a.path === path && !a.dir);
  return (
    <div className={css.panes}>
      <nav className={css.tree} aria-label="Files">
        {roots.map((r) => (
          <Folders
            key={r.id}
            project={project}
            root={r}
            open={roots.length === 1 || r.id === root?.id}
            current={r.id === root?.id ? path : ""}
            onShow={(p) => onShow(r.id, p)}
            live={live}
          />
        ))}
      </nav>
      <section className={css.preview} aria-label={path === "" ? "Preview" : path}>
        {path === "" || root === undefined ? (
          <p className={css.hint}>Choose a file to see what is in it.</p>
        ) : file ? (
          <Preview key={file.path} project={project} owner={root.owner} file={file} />
        ) : failureOf(around) != null ? (
          <Failed query={around} />
        ) : around.data ? (
          <Empty title={`There is no file ${path}`} />
        ) : (
          <Skeleton height={240} />
        )}
      </section>
    </div>
  );
}

interface FoldersProps {
  project: string;
  root: Root;
  open: boolean;
  current: string;
  onShow: (path: string) => void;
  live: boolean;
}

function Folders({ root, open: first, ...rest }: FoldersProps) {
  const [open, setOpen] = useState(first);
  const Sign = open ? ChevronDown : ChevronRight;
  return (
    <div>
      <button
        type="button"
        className={css.entry}
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        <Sign size={14} aria-hidden />
        <Box size={14} aria-hidden />
        <span className={css.entryName}>{root.name}</span>
      </button>
      {open && <Directory {...rest} owner={root.owner} path="" />}
    </div>
  );
}

interface DirectoryProps extends Omit<FoldersProps, "root" | "open"> {
  owner: Owner;
  path: string;
}

const signs: Record<string, typeof File> = {
  image: FileImage,
  table: Table2,
  text: FileText,
  log: FileText,
  json: FileText,
  markdown: FileText,
  html: FileText,
};

/** How many entries of a directory are shown at once. */
const ENTRIES = 200;

function Directory(props: DirectoryProps) {
  const { project, owner, path, current, onShow, live } = props;
  const files = useQuery(artifactsQuery(project, owner, path, live));
  const [most, setMost] = useState(ENTRIES);
  return (
    <Loaded
      query={files}
      skeleton={<Lines n={3} />}
      isEmpty={(page) => page.items.length === 0}
      empty={
        <p className={css.hint}>
          {path === "" ? "No files. A run gets some with mlflow.log_artifact(…)." : "Empty."}
        </p>
      }
    >
      {(page) => (
        <ul className={css.list}>
          {page.items.slice(0, most).map((entry) => (
            <li key={entry.path}>
              {entry.dir ? (
                <Subdirectory {...props} path={entry.path} />
              ) : (
                <FileEntry
                  entry={entry}
                  current={entry.path === current}
                  onShow={() => onShow(entry.path)}
                />
              )}
            </li>
          ))}
          {page.items.length > most ? (
            <li>
              <More
                said={`${count(most)} of ${count(page.items.length)}`}
                onMore={() => setMost(most + ENTRIES)}
              />
            </li>
          ) : (
            page.more && <li className={css.hint}>and more than can be listed here</li>
          )}
        </ul>
      )}
    </Loaded>
  );
}

const baseName = (path: string) => path.slice(path.lastIndexOf("/") + 1);

function Subdirectory(props: DirectoryProps) {
  const [open, setOpen] = useState(props.current.startsWith(`${props.path}/`));
  const Sign = open ? ChevronDown : ChevronRight;
  return (
    <>
      <button
        type="button"
        className={css.entry}
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        <Sign size={14} aria-hidden />
        <Folder size={14} aria-hidden />
        <span className={css.entryName}>{baseName(props.path)}</span>
      </button>
      {open && <Directory {...props} />}
    </>
  );
}

function FileEntry(props: { entry: Artifact; current: boolean; onShow: () => void }) {
  const Sign = signs[props.entry.kind ?? ""] ?? File;
  return (
    <button
      type="button"
      className={css.entry}
      aria-current={props.current || undefined}
      onClick={props.onShow}
    >
      <span className={css.gap} />
      <Sign size={14} aria-hidden />
      <span className={css.entryName}>{baseName(props.entry.path)}</span>
      <span className={css.size}>{bytes(props.entry.bytes ?? 0)}</span>
    </button>
  );
}

interface PreviewProps {
  project: string;
  owner: Owner;
  file: Artifact;
}

/** A file with its size, its digest, and what is in it. */
export function Preview({ project, owner, file }: PreviewProps) {
  return (
    <>
      <div className={css.head}>
        <h3 className={css.name}>{file.path}</h3>
        <span className={css.size}>{bytes(file.bytes ?? 0)}</span>
        {file.digest && <CopyButton text={file.digest} what="Copy the SHA-256" />}
        <Button
          component="a"
          variant="default"
          leftSection={<Download size={14} aria-hidden />}
          href={contentURL(project, owner, file, "file")}
          download={baseName(file.path)}
        >
          Download
        </Button>
      </div>
      <Content project={project} owner={owner} file={file} />
    </>
  );
}

/** What is in a file, as its kind can be shown. */
export function Content({ project, owner, file }: PreviewProps) {
  const url = contentURL(project, owner, file);
  switch (file.kind) {
    case "image":
      return <Picture key={url} url={url} name={baseName(file.path)} />;
    case "audio":
      return <audio controls src={url} className={css.media} aria-label={file.path} />;
    case "video":
      return <video controls src={url} className={css.media} aria-label={file.path} />;
    case "table":
      return <Table {...{ project, owner, file }} />;
    case "html":
      return <WebPage {...{ project, owner, file }} />;
    case "json":
    case "markdown":
    case "log":
    case "text":
      return <Text {...{ project, owner, file }} />;
    default:
      return <p className={css.hint}>A file of bytes; download it to look into it.</p>;
  }
}

function Picture({ url, name }: { url: string; name: string }) {
  const [size, setSize] = useState("");
  const [broken, setBroken] = useState(false);
  if (broken) return <p className={css.hint}>The picture cannot be drawn.</p>;
  return (
    <figure className={css.figure}>
      <img
        src={url}
        alt={name}
        className={css.image}
        onLoad={(e) =>
          setSize(`${e.currentTarget.naturalWidth} × ${e.currentTarget.naturalHeight}`)
        }
        onError={() => setBroken(true)}
      />
      <figcaption className={css.hint}>{size}</figcaption>
    </figure>
  );
}

function WebPage({ project, owner, file }: PreviewProps) {
  const [as, setAs] = useState("page");
  return (
    <>
      <div className={css.bar}>
        <SegmentedControl
          aria-label="Show as"
          value={as}
          onChange={setAs}
          data={[
            { value: "page", label: "Page" },
            { value: "source", label: "Source" },
          ]}
        />
        <span className={css.hint}>
          The page runs in a sandbox: it reaches neither this program nor the network.
        </span>
      </div>
      {as === "page" ? (
        <iframe
          className={css.frame}
          title={file.path}
          sandbox="allow-scripts"
          src={contentURL(project, owner, file, "page")}
        />
      ) : (
        <Text {...{ project, owner, file }} />
      )}
    </>
  );
}

/** JSON is laid out up to this length. */
const LAID_OUT = 200_000;

/** What a text shows as: JSON laid out, or as the table that it is. */
export function shapeOf(kind: string | undefined, text: string): { text: string } | Grid {
  if (kind !== "json" || text.length > LAID_OUT) return { text };
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return { text };
  }
  if (typeof parsed === "object" && parsed !== null && "columns" in parsed && "data" in parsed) {
    const { columns, data } = parsed;
    if (Array.isArray(columns) && Array.isArray(data) && data.every(Array.isArray)) {
      return { columns: columns.map(String), rows: data }; // as mlflow.log_table writes it
    }
  }
  return { text: JSON.stringify(parsed, null, 2) };
}

function Text({ project, owner, file }: PreviewProps) {
  const query = useInfiniteQuery(textQuery(project, owner, file));
  if (query.data === undefined) {
    if (failureOf(query) != null) return <Failed query={query} />;
    return <Skeleton height={240} />;
  }
  const text = query.data.pages.map((p) => p.text).join("");
  const shown = query.hasNextPage ? { text } : shapeOf(file.kind, text);
  return (
    <>
      {"rows" in shown ? (
        <GridTable grid={shown} />
      ) : text === "" ? (
        <p className={css.hint}>The file is empty.</p>
      ) : (
        <pre className={css.text} tabIndex={0} aria-label={file.path}>
          {shown.text}
        </pre>
      )}
      {query.hasNextPage && (
        <More
          said={`${bytes(query.data.pages.at(-1)?.next)} of ${bytes(file.bytes)}`}
          loading={query.isFetchingNextPage}
          onMore={() => void query.fetchNextPage()}
        />
      )}
    </>
  );
}

function More(props: { said: string; loading?: boolean; onMore: () => void }) {
  const { said, loading = false, onMore } = props;
  return (
    <div className={css.bar}>
      <Button variant="default" loading={loading} onClick={onMore}>
        Show more
      </Button>
      <span className={css.hint}>{said}</span>
    </div>
  );
}

function Table({ project, owner, file }: PreviewProps) {
  const query = useInfiniteQuery(tableQuery(project, owner, file));
  if (query.data === undefined) {
    if (failureOf(query) != null) return <Failed query={query} />;
    return <Skeleton height={240} />;
  }
  const [first] = query.data.pages;
  const rows = query.data.pages.flatMap((p) => p.rows);
  const total = first?.total;
  const columns = (first?.columns ?? []).map((c) => c.name);
  const wide = first?.width ?? 0;
  const said = total == null ? `${plural(rows.length, "row")} so far` : `of ${count(total)} rows`;
  return (
    <>
      <GridTable grid={{ columns, rows }} />
      {wide > columns.length && (
        <p className={css.hint}>
          The first {columns.length} of {count(wide)} columns.
        </p>
      )}
      {query.hasNextPage ? (
        <More
          said={total == null ? said : `${count(rows.length)} ${said}`}
          loading={query.isFetchingNextPage}
          onMore={() => void query.fetchNextPage()}
        />
      ) : (
        <p className={css.hint}>{plural(rows.length, "row")}</p>
      )}
    </>
  );
}

/** Cells as they are: text, numbers, null. */
export interface Grid {
  columns: string[];
  rows: unknown[][];
}

const numeric = (v: unknown) =>
  typeof v === "number" || (typeof v === "string" && v !== "" && Number.isFinite(Number(v)));

function GridTable({ grid }: { grid: Grid }) {
  const right = grid.columns.map((_, i) =>
    grid.rows.slice(0, 50).every((r) => r[i] == null || r[i] === "" || numeric(r[i])),
  );
  return (
    <div className={css.gridBox} tabIndex={0} role="region" aria-label="Rows">
      <table className={css.grid} aria-label="Rows">
        <thead>
          <tr>
            <th scope="col" className={css.right}>
              #
            </th>
            {grid.columns.map((name, i) => (
              <th key={i} scope="col" className={right[i] ? css.right : ""}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {grid.rows.map((row, r) => (
            <tr key={r}>
              <th scope="row" className={css.right}>
                {count(r + 1)}
              </th>
              {grid.columns.map((_, i) => (
                <td key={i} className={right[i] ? css.right : ""}>
                  {cellText(row[i])}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function cellText(v: unknown): string {
  if (v == null) return "";
  return typeof v === "object" ? JSON.stringify(v) : String(v);
}
