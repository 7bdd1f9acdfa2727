import { CopyButton } from "./CopyButton";
import css from "./Command.module.css";

/** A command or a piece of code that a reader may want to copy. */
export function Command({ children, label = "command" }: { children: string; label?: string }) {
  return (
    <div className={css.box}>
      <pre tabIndex={0} aria-label={label} className={css.text}>
        {children}
      </pre>
      <CopyButton text={children} what={`Copy the ${label}`} />
    </div>
  );
}
