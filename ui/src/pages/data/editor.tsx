import { useEffect, useId, useRef, useState, type KeyboardEvent, type Ref } from "react";
import { complete, placeOf, type Hint, type TableOf } from "./complete";
import css from "./data.module.css";
import { quoted } from "./words";

interface EditorProps {
  sql: string;
  onChange: (sql: string) => void;
  onRun: () => void;
  tables: readonly TableOf[];
  /** Where the last query was wrong, in bytes of its text as it was. */
  invalid?: boolean;
  /** The id of what tells its keys. */
  describedBy?: string;
  ref?: Ref<HTMLTextAreaElement>;
}

/** What may follow, and where the list of it stands. */
interface Suggestions {
  at: number;
  from: number;
  hints: Hint[];
  chosen: number;
  /** How far the text is scrolled, in CSS pixels. */
  scrolled: number;
}

const LINE = 20;
const [PAD_X, PAD_Y] = [14, 12];

/** A text of SQL with completion: Ctrl+Space asks for it, Tab or Enter takes it. */
export function Editor(props: EditorProps) {
  const { sql, onChange, onRun, tables, invalid = false, ref } = props;
  const id = useId();
  const own = useRef<HTMLTextAreaElement>(null);
  const [open, setOpen] = useState<Suggestions>();
  const caret = useRef<number | undefined>(undefined);

  useEffect(() => {
    if (caret.current === undefined || !own.current) return;
    own.current.setSelectionRange(caret.current, caret.current);
    caret.current = undefined;
  }, [sql]);

  const suggest = (text: string, at: number, least = 1) => {
    const { from, hints } = complete(text, at, tables, quoted);
    const scrolled = own.current?.scrollTop ?? 0;
    setOpen(
      hints.length > 0 && at - from >= least ? { at, from, hints, chosen: 0, scrolled } : undefined,
    );
  };
  const take = (hint: Hint | undefined) => {
    if (!open || !hint) return;
    caret.current = open.from + hint.text.length;
    onChange(sql.slice(0, open.from) + hint.text + sql.slice(open.at));
    setOpen(undefined);
    own.current?.focus();
  };
  const keys = (e: KeyboardEvent<HTMLTextAreaElement>) => {
    if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) {
      e.preventDefault();
      setOpen(undefined);
      onRun();
    } else if (e.key === " " && e.ctrlKey) {
      e.preventDefault();
      suggest(sql, e.currentTarget.selectionStart, 0);
    } else if (open) {
      const move = { ArrowDown: 1, ArrowUp: -1 }[e.key];
      const n = open.hints.length;
      if (move) setOpen({ ...open, chosen: (open.chosen + move + n) % n });
      else if (e.key === "Tab" || e.key === "Enter") take(open.hints[open.chosen]);
      else if (e.key === "Escape") setOpen(undefined);
      else return;
      e.preventDefault();
    }
  };
  const place = open && placeOf(sql, open.from);
  return (
    <div className={css.editor}>
      <textarea
        ref={(el) => {
          own.current = el;
          if (typeof ref === "function") ref(el);
          else if (ref) ref.current = el;
        }}
        className={css.sql}
        aria-label="Query in SQL"
        aria-autocomplete="list"
        aria-controls={open ? id : undefined}
        aria-activedescendant={open ? `${id}-${open.chosen}` : undefined}
        aria-invalid={invalid}
        aria-describedby={props.describedBy}
        spellCheck={false}
        autoCapitalize="off"
        autoComplete="off"
        value={sql}
        rows={Math.min(24, Math.max(7, sql.split("\n").length + 1))}
        onKeyDown={keys}
        onBlur={() => setOpen(undefined)}
        onChange={(e) => {
          onChange(e.currentTarget.value);
          suggest(e.currentTarget.value, e.currentTarget.selectionStart);
        }}
      />
      {open && place && (
        <div
          id={id}
          role="listbox"
          aria-label="Completions"
          className={css.hints}
          style={{
            top: PAD_Y + (place.line + 1) * LINE + 4 - open.scrolled,
            left: `min(calc(${PAD_X - 10}px + ${place.column}ch), calc(100% - 240px))`,
          }}
        >
          {open.hints.map((h, i) => (
            <div
              key={h.text}
              id={`${id}-${i}`}
              role="option"
              aria-selected={i === open.chosen}
              className={css.hint}
              ref={(el) => {
                if (i === open.chosen) el?.scrollIntoView({ block: "nearest" });
              }}
              onMouseDown={(e) => {
                e.preventDefault();
                take(h);
              }}
            >
              <span>{h.text}</span>
              <span className={css.kind}>{h.kind}</span>
            </div>
          ))}
        </div>
      )}
    </div>
  );
}
