import { ActionIcon } from "@mantine/core";
import { useClipboard } from "@mantine/hooks";
import { Check, Copy } from "lucide-react";

/** Copies a text, and says so. */
export function CopyButton({ text, what = "Copy" }: { text: string; what?: string }) {
  const { copied, copy } = useClipboard({ timeout: 1500 });
  const label = copied ? "Copied" : what;
  return (
    <ActionIcon data-tip={label} aria-label={label} onClick={() => copy(text)} size="sm">
      {copied ? <Check size={14} aria-hidden /> : <Copy size={14} aria-hidden />}
    </ActionIcon>
  );
}
