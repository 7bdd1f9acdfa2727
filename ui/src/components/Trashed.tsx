import { Alert } from "@mantine/core";
import { Trash2 } from "lucide-react";
import type { ReactNode } from "react";
import { absolute } from "../format/time";
import { GuardedButton } from "./GuardedButton";
import { Time } from "./Time";

interface TrashedProps {
  /** What is in the trash, such as "This run". */
  what: ReactNode;
  /** What goes and comes with it, such as "its runs and their artifacts". */
  with: string;
  /** In ms, wall time; without an end it is kept for ever, or nobody knows yet. */
  since: number;
  until: number | undefined;
  action: string;
  /** Why it may not be restored; "" when it may. */
  why: string;
  pending: boolean;
  onRestore: () => void;
}

/** Says of a page's thing that it is in the trash, until when it is kept, and takes it out. */
export function Trashed(props: TrashedProps) {
  const { since, until } = props;
  return (
    <Alert
      variant="outline"
      color="yellow"
      mb="md"
      icon={<Trash2 size={18} aria-hidden />}
      title={<>{props.what} is in the trash</>}
      styles={{ title: { color: "var(--f-warn)" } }}
      role="status"
    >
      <p style={{ margin: "0 0 8px" }}>
        It was moved there <Time at={since} />.{" "}
        {until !== undefined && (
          <>
            Until {absolute(until)} it can be restored, with {props.with}; then it is removed for
            good.
          </>
        )}
      </p>
      <GuardedButton
        size="xs"
        variant="default"
        why={props.why}
        loading={props.pending}
        onClick={props.onRestore}
      >
        {props.action}
      </GuardedButton>
    </Alert>
  );
}
