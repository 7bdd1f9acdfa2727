import { ActionIcon, Button } from "@mantine/core";
import { CircleAlert, CircleCheck, X } from "lucide-react";
import { useSyncExternalStore } from "react";
import { dismiss, TOASTS, toasts } from "./toast";
import css from "./Toasts.module.css";

/** Where toasts are shown; in the shell, once. */
export function Toasts() {
  const shown = useSyncExternalStore(toasts.subscribe, toasts.read);
  return (
    <div id={TOASTS} className={css.toasts} role="status" aria-live="polite">
      {shown.map((t) => (
        <div key={t.id} className={css.toast} data-tone={t.tone ?? "good"}>
          {t.tone === "bad" ? (
            <CircleAlert size={18} aria-hidden />
          ) : (
            <CircleCheck size={18} aria-hidden />
          )}
          <div className={css.words}>
            <strong>{t.title}</strong>
            {t.message && <div>{t.message}</div>}
          </div>
          {t.action && (
            <Button
              variant="default"
              onClick={() => {
                t.action?.run();
                dismiss(t.id);
              }}
            >
              {t.action.label}
            </Button>
          )}
          <ActionIcon aria-label="Dismiss" onClick={() => dismiss(t.id)}>
            <X size={16} aria-hidden />
          </ActionIcon>
        </div>
      ))}
    </div>
  );
}
