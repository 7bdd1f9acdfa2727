import { Alert, Button } from "@mantine/core";
import { CircleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { Problem } from "../data/client";
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

/** What went wrong, in the server's words, and a way to try again. */
export function Failure(props: { error: unknown; retry?: () => void; title?: string }) {
  const { error, retry } = props;
  const missing = error instanceof Problem && error.status === 404;
  const signedOut = error instanceof Problem && error.status === 401;
  const said = error instanceof Error ? error.message : String(error);
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
      <p className={css.words}>{signedOut ? SIGNED_OUT : said}</p>
      {retry && (
        <Button variant="default" onClick={retry}>
          Try again
        </Button>
      )}
    </Alert>
  );
}
