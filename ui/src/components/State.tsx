import { Alert, Button } from "@mantine/core";
import { CircleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { Problem } from "../data/client";
import { useHearing } from "../data/live";
import { clock } from "../format/time";
import { Command } from "./Command";
import { useNow } from "./now";
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

/** What went wrong, in the server's words, and a way to try again. */
export function Failure(props: { error: unknown; retry?: () => void; title?: string }) {
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
      <p className={css.words}>{wordsOf(error)}</p>
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
  error: unknown;
  dataUpdatedAt: number;
  refetch: () => unknown;
}

/**
 * Says that what is shown could not be renewed, and of when it is. While the server is away,
 * the mark in the bar says so once for the whole page; and while it is busy for a moment,
 * the next renewal comes before anybody could read it.
 */
export function Old({ query }: { query: Renewed }) {
  const away = useHearing() === "reconnecting";
  const now = useNow();
  const fresh = now - query.dataUpdatedAt < A_MOMENT_MS;
  const passes = query.error instanceof Problem && isAway(query.error);
  if (!query.isError || (passes && (away || fresh))) return null;
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

const A_MOMENT_MS = 10_000;

function isAway({ status }: Problem): boolean {
  return status === 0 || status === 503;
}
