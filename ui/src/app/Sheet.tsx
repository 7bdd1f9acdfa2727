import { useLayoutEffect, useRef, type ReactNode } from "react";
import css from "./Commands.module.css";

/**
 * What lies over the page until it is left, by Escape or a click beside it. The browser
 * keeps the focus in it, and gives it back.
 */
export function Sheet(props: { label: string; onClose: () => void; children: ReactNode }) {
  const ref = useRef<HTMLDialogElement>(null);
  // The browser focuses the first control, and gives the focus back to what had it before
  // if the dialog is closed before it leaves the document.
  useLayoutEffect(() => {
    const dialog = ref.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);
  return (
    <dialog
      ref={ref}
      className={css.sheet}
      aria-label={props.label}
      onCancel={props.onClose}
      onClick={(e) => {
        if (e.target === e.currentTarget) props.onClose();
      }}
    >
      {props.children}
    </dialog>
  );
}
