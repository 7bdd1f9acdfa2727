import { useParams, useRouter } from "@tanstack/react-router";
import type { MouseEvent, ReactNode } from "react";

interface ToProps {
  /** Below the project, such as "models/bikes/versions/3". */
  path: string;
  children: ReactNode;
  className?: string;
  title?: string;
}

/** A link to a page of another room, which need not be loaded to know its address. */
export function To({ path, children, ...rest }: ToProps) {
  const { project = "" } = useParams({ strict: false });
  const router = useRouter();
  const href = `/p/${project}/${path}`;
  const go = (e: MouseEvent) => {
    if (e.defaultPrevented || e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey)
      return;
    e.preventDefault();
    router.history.push(href);
  };
  return (
    <a href={href} onClick={go} {...rest}>
      {children}
    </a>
  );
}

/** A text with links to the incidents, cases and rollouts whose ids it names. */
export function Linked({ children }: { children: string }) {
  return children.split(/\b((?:in|ca|rol|pr)_[0-9a-z]{20})\b/).map((text, i) => {
    if (i % 2 === 0) return text;
    if (text.startsWith("in_")) return <IncidentLink key={i} id={text} children={shortID(text)} />;
    if (text.startsWith("ca_")) return <CaseLink key={i} id={text} children={shortID(text)} />;
    if (text.startsWith("pr_")) return <PipelineLink key={i} id={text} children={shortID(text)} />;
    return <RolloutLink key={i} id={text} children={shortID(text)} />;
  });
}

const part = encodeURIComponent;

/** An id without what all ids of its kind begin with, and short enough for a table. */
function shortID(id: string): string {
  return id.replace(/^[a-z]+_/, "").slice(-6);
}

/** A few words that stay on one line. */
function Short({ text }: { text: string }) {
  return <span style={{ whiteSpace: "nowrap" }}>{text}</span>;
}

interface VersionLinkProps {
  model: string;
  version: number;
  /** The point of time that the page it leads to shows; now without it. */
  asOf?: string;
  className?: string;
}

export function VersionLink({ model, version, asOf, ...rest }: VersionLinkProps) {
  const search = asOf ? `?as_of=${part(asOf)}` : "";
  return (
    <To path={`models/${part(model)}/versions/${version}${search}`} {...rest}>
      <Short text={`version ${version}`} />
    </To>
  );
}

export function RunLink(props: { experiment: string; run: string; children?: ReactNode }) {
  return (
    <To path={`experiments/${part(props.experiment)}/runs/${part(props.run)}`}>
      {props.children ?? <Short text={`run ${props.run.slice(0, 8)}`} />}
    </To>
  );
}

/** To what the ledger has about a thing, such as model/bikes, or to one event of it. */
export function AuditLink(props: { subject?: string; seq?: number; children: ReactNode }) {
  const { subject, seq, children } = props;
  const search = seq === undefined ? `subject=${part(subject ?? "")}` : `seq=${seq}`;
  return <To path={`audit?${search}`}>{children}</To>;
}

export function IncidentLink({ id, children }: { id: string; children?: ReactNode }) {
  return (
    <To path={`incidents/${part(id)}`}>{children ?? <Short text={`incident ${shortID(id)}`} />}</To>
  );
}

export function CaseLink({ id, children }: { id: string; children?: ReactNode }) {
  return <To path={`cases/${part(id)}`}>{children ?? <Short text={`case ${shortID(id)}`} />}</To>;
}

export function RolloutLink({ id, children }: { id: string; children?: ReactNode }) {
  return (
    <To path={`rollouts/${part(id)}`}>{children ?? <Short text={`rollout ${shortID(id)}`} />}</To>
  );
}

export function PipelineLink({ id, children }: { id: string; children?: ReactNode }) {
  return (
    <To path={`pipelines/${part(id)}`}>
      {children ?? <Short text={`pipeline run ${shortID(id)}`} />}
    </To>
  );
}

interface DatasetLinkProps {
  dataset: string;
  n: number;
  children?: ReactNode;
  className?: string;
}

export function DatasetLink({ dataset, n, children, ...rest }: DatasetLinkProps) {
  return (
    <To path={`data/${part(dataset)}/${n}`} {...rest}>
      {children ?? `${dataset} version ${n}`}
    </To>
  );
}

/** To the page of an endpoint, or to how it is watched. */
export function EndpointLink(props: {
  endpoint: string;
  room?: "endpoints" | "monitoring";
  children?: ReactNode;
}) {
  const [model = "", environment = ""] = props.endpoint.split("@");
  const room = props.room ?? "endpoints";
  return (
    <To path={`${room}/${part(model)}/${part(environment)}`}>{props.children ?? props.endpoint}</To>
  );
}
