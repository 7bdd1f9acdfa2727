import { Button, type ButtonProps } from "@mantine/core";
import type { ReactNode } from "react";

interface GuardedButtonProps extends ButtonProps {
  /** Why it may not be used now; "" when it may (useMay). */
  why: string;
  autoFocus?: boolean;
  onClick: () => void;
  children: ReactNode;
}

/** A button that keyboard and pointer reach also when it may not be used, and that says why. */
export function GuardedButton({ why, onClick, ...props }: GuardedButtonProps) {
  if (why === "") return <Button {...props} onClick={onClick} />;
  return <Button data-tip={why} {...props} data-disabled aria-disabled aria-description={why} />;
}
