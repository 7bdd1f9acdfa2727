import { ActionIcon, Button } from "@mantine/core";
import { CircleAlert, CircleCheck, X } from "lucide-react";
import { useLayoutEffect, useRef, useState, useSyncExternalStore } from "react";
import { dismiss, toasts, toastsIn, type Shown } from "./toast";
import css from "./Toasts.module.css";

/**
 * Where toasts are shown: in the shell, and in each dialog, of which the topmost has them. The
 * focus goes back to where it was before it came to them.
 */
export function Toasts() {
  const [box, setBox] = useState<HTMLElement | null>(null);
  const before = useRef<Element | null>(null);
  useLayoutEffect(() => (box ? toastsIn(box) : undefined), [box]);
  const shown = useSyncExternalStore(toasts.subscribe, () => toasts.in(box));
  const leave = (t: Shown) => {
    if (box?.contains(document.activeElement)) {
      const back = before.current?.isConnected ? before.current : document.getElementById("main");
      if (back instanceof HTMLElement || back instanceof SVGElement) back.focus();
    }
    dismiss(t.id);
  };
  return (
    <div
      ref={setBox}
      className={css.toasts}
      role="status"
      aria-live="polite"
      onFocus={(e) => {
        if (!box?.contains(e.relatedTarget)) before.current = e.relatedTarget;
      }}
    >
      {shown.map((t) => (
        <div
          key={t.id}
          className={css.toast}
          data-tone={t.tone ?? "good"}
          onKeyDown={(e) => {
            if (e.key !== "Escape") return;
            e.preventDefault(); // a dialog around it stays
            leave(t);
          }}
        >
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
                leave(t);
              }}
            >
              {t.action.label}
            </Button>
          )}
          <ActionIcon aria-label="Dismiss" onClick={() => leave(t)}>
            <X size={16} aria-hidden />
          </ActionIcon>
        </div>
      ))}
    </div>
  );
}
