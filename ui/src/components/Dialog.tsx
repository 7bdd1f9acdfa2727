import { Modal, type MantineSize } from "@mantine/core";
import type { ReactNode } from "react";
import css from "./Dialog.module.css";

interface DialogProps {
  opened: boolean;
  onClose: () => void;
  title: string;
  size?: MantineSize;
  /** Drawn only while it is open, so that what was filled in is gone with it. */
  children: ReactNode;
}

/** A question that stands above the page until it is answered or left. */
export function Dialog({ opened, onClose, title, size = "md", children }: DialogProps) {
  return (
    <Modal opened={opened} onClose={onClose} size={size} withCloseButton={false}>
      <div className={css.head}>
        <Modal.Title component="h2" className={css.title ?? ""}>
          {title}
        </Modal.Title>
        <Modal.CloseButton aria-label="Leave it" />
      </div>
      <div className={css.body}>{opened && children}</div>
    </Modal>
  );
}

/** What the reader can do about it, at the end. */
export function DialogButtons({ children }: { children: ReactNode }) {
  return <div className={css.buttons}>{children}</div>;
}
