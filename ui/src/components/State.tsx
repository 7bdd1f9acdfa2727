import { Alert, Button } from "@mantine/core";
import { CircleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { Problem } from "../data/client";
import { clock } from "../format/time";
import { Command } from "./Command";
import css from "./State.module.css";

/** What is shown where there is nothing yet: what would be here, and how to make it. */
export function Empty(props: { title: string; children?: ReactNode; command?: string }) {
  return (
    <div className={css.empty}>
      <p className={css.title}>{props.title}</p>
      {props.children && <div className={css.text}>{props.children}</div>}
      {props.command && <Command>{props.command}</Command>}
    </div>
  );
}

// The server's own words tell programs what to send.
const SIGNED_OUT = "You are signed out. Sign in, and try again.";

function wordsOf(error: unknown): string {
  if (error instanceof Problem && error.status === 401) return SIGNED_OUT;
  return error instanceof Error ? error.message : String(error);
}

interface FailureProps {
  error: unknown;
  retry?: () => void;
  title?: string;
  /** It is tried again by itself. */
  again?: boolean;
}

/** What went wrong, in the server's words, and a way to try again. */
export function Failure(props: FailureProps) {
  const { error, retry } = props;
  const missing = error instanceof Problem && error.status === 404;
  const title = props.title ?? (missing ? "Not found" : "This could not be loaded");
  return (
    <Alert
      role="alert"
      variant="outline"
      color="red"
      icon={<CircleAlert size={18} aria-hidden />}
      title={title}
      classNames={{ title: css.problem ?? "" }}
    >
      <p className={css.words}>
        {wordsOf(error)}
        {props.again && " It is tried again by itself."}
      </p>
      {retry && (
        <Button variant="default" onClick={retry}>
          Try again
        </Button>
      )}
    </Alert>
  );
}

interface Renewed {
  isError: boolean;
  error: Error | null;
  dataUpdatedAt: number;
  refetch: () => unknown;
}

interface Asked extends Renewed {
  data: unknown;
  failureCount: number;
  failureReason: Error | null;
}

/** How many tries may fail before it is said, within two or three seconds. */
const FEW = 4;

/**
 * Why nothing has come of a query yet, which may still be asked for; null while it loads, and
 * when something is there: that stays in sight.
 */
export function failureOf(query: Pick<Asked, "data" | "error" | "failureCount" | "failureReason">) {
  if (query.data !== undefined) return null;
  return query.error ?? (query.failureCount > FEW ? query.failureReason : null);
}

/** Says why nothing has come of a query. What fails in passing goes on by itself. */
export function Failed({ query, title }: { query: Asked; title?: string }) {
  const error = failureOf(query);
  if (error == null) return null;
  const more = query.isError ? { retry: () => void query.refetch() } : { again: true };
  return <Failure error={error} {...(title && { title })} {...more} />;
}

/**
 * Says that what is shown could not be renewed, and of when it is. Of what fails in passing
 * the mark in the bar tells, once for the whole page.
 */
export function Old({ query }: { query: Renewed }) {
  if (!query.isError) return null;
  return (
    <p className={css.old} role="status">
      <CircleAlert size={14} aria-hidden />
      <span>
        As of {clock(query.dataUpdatedAt)}; it could not be renewed: {wordsOf(query.error)}
      </span>
      <Button variant="default" size="compact-xs" onClick={() => void query.refetch()}>
        Try again
      </Button>
    </p>
  );
}
