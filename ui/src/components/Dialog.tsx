import { CloseButton } from "@mantine/core";
import { useId, useLayoutEffect, useRef, type ComponentProps, type ReactNode } from "react";
import { Toasts } from "./Toasts";
import css from "./Dialog.module.css";

interface DialogProps {
  opened: boolean;
  onClose: () => void;
  title: string;
  size?: "sm" | "md" | "lg" | "xl";
  /** Drawn only while it is open, so that what was filled in is gone with it. */
  children: ReactNode;
}

/** A question that stands above the page until it is answered or left. */
export function Dialog({ opened, ...rest }: DialogProps) {
  return opened ? <Opened {...rest} /> : null;
}

function Opened({ onClose, title, size = "md", children }: Omit<DialogProps, "opened">) {
  const name = useId();
  return (
    <Modal data-size={size} aria-labelledby={name} onLeave={onClose}>
      <div className={css.frame}>
        <div className={css.head}>
          <h2 id={name} className={css.title}>
            {title}
          </h2>
          <CloseButton aria-label="Leave it" onClick={onClose} />
        </div>
        <div className={css.body}>{children}</div>
      </div>
    </Modal>
  );
}

/**
 * What lies over the page until it is left, by Escape or a press beside it. The browser
 * keeps the focus in it, and gives it back if it is closed before it leaves the document.
 */
export function Modal({
  onLeave,
  className = "",
  children,
  ...rest
}: ComponentProps<"dialog"> & { onLeave: () => void }) {
  const ref = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const dialog = ref.current;
    dialog?.showModal(); // the focus goes to the first button, which leaves the dialog
    dialog?.querySelector<HTMLElement>("[data-autofocus]")?.focus();
    return () => dialog?.close();
  }, []);
  return (
    <dialog
      {...rest}
      ref={ref}
      className={`${css.dialog} ${className}`}
      onCancel={(e) => {
        e.preventDefault(); // it goes when its owner says so
        onLeave();
      }}
      onMouseDown={(e) => {
        if (e.target === e.currentTarget) onLeave();
      }}
    >
      {children}
      <Toasts />
    </dialog>
  );
}

/** What the reader can do about it, at the end. */
export function DialogButtons({ children }: { children: ReactNode }) {
  return <div className={css.buttons}>{children}</div>;
}
