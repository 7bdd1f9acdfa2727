import { Button, CloseButton } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { Search } from "lucide-react";
import { useId, useLayoutEffect, useRef, useState, type KeyboardEvent } from "react";
import { completion } from "../../data/runtable";
import css from "./FilterBar.module.css";

interface FilterBarProps {
  project: string;
  experiments: string[];
  /** The filter that holds. */
  value: string;
  onApply: (filter: string) => void;
}

/** Places in the server's answers are counted in characters, and those of a field in UTF-16. */
const toUnits = (text: string, at: number) => [...text].slice(0, at).join("").length;
const toCharacters = (text: string, at: number) => [...text.slice(0, at)].length;

/** A filter that is completed while it is typed, and says in place what is wrong with it. */
export function FilterBar({ project, experiments, value, onApply }: FilterBarProps) {
  const id = useId();
  const field = useRef<HTMLInputElement>(null);
  const cursor = useRef<number>(undefined); // where it goes to with the next text
  const [draft, setDraft] = useState({ of: value, text: value, at: value.length });
  if (draft.of !== value) setDraft({ of: value, text: value, at: value.length });
  const [shown, setShown] = useState(false);
  const [picked, setPicked] = useState(-1);
  const [typed, setTyped] = useState(false); // since the field was come to, or something was taken
  const [scrolled, setScrolled] = useState(0);
  const [asked] = useDebouncedValue(draft, 80);
  const { text } = draft;
  const answer = useQuery({
    ...completion(project, experiments, asked.text, toCharacters(asked.text, asked.at)),
    enabled: shown || asked.text !== "",
  });
  const current = asked.text === text && !answer.isPlaceholderData ? answer.data : undefined;
  const options = shown ? (answer.data?.options ?? []) : [];
  // What stood there for an earlier text stays in sight, and is not put into this one.
  const fresh = asked === draft && !answer.isPlaceholderData;
  const problem = text === "" ? undefined : current?.problem;
  const ends = problem && {
    from: toUnits(text, problem.from),
    to: toUnits(text, problem.to),
  };
  const typing = shown && problem !== undefined && problem.to >= [...text].length;

  const put = (next: string, at: number) => {
    setDraft({ of: value, text: next, at });
    setPicked(-1);
    setTyped(false);
    cursor.current = at;
  };
  // At once: what is typed next comes behind what was put there, and not before it.
  useLayoutEffect(() => {
    const at = cursor.current;
    cursor.current = undefined;
    if (at !== undefined) field.current?.setSelectionRange(at, at);
  }, [draft]);
  const take = (option: string) => {
    if (!answer.data || !fresh) return;
    const [from, to] = [toUnits(text, answer.data.from), toUnits(text, answer.data.to)];
    const before = text.slice(0, from) + option + " ";
    put(before + text.slice(to).trimStart(), before.length);
  };
  const apply = (filter: string) => {
    setShown(false);
    setPicked(-1);
    onApply(filter.trim());
  };
  const onKeyDown = (e: KeyboardEvent) => {
    const option = options[picked];
    switch (e.key) {
      case "ArrowDown":
        setShown(true);
        if (fresh) setPicked(Math.min(picked + 1, options.length - 1));
        break;
      case "ArrowUp":
        setPicked(Math.max(picked - 1, -1));
        break;
      case "Tab": {
        const first = options[Math.max(picked, 0)];
        // Else it leads on: who passes by, or has taken all they wanted, is not held here.
        if (e.shiftKey || !shown || !first || (picked < 0 && !typed)) return;
        take(first.text);
        break;
      }
      case "Enter":
        if (option && fresh) take(option.text);
        else apply(text);
        break;
      case "Escape":
        if (shown) setShown(false);
        else put(value, value.length);
        break;
      default:
        return;
    }
    e.preventDefault();
  };
  const wrong = problem !== undefined && !typing;
  return (
    <div className={css.bar}>
      <div
        className={css.field}
        data-wrong={wrong || undefined}
        data-keys-to={`[aria-controls="${id}-list"]`}
      >
        <Search size={15} aria-hidden className={css.icon} />
        <div className={css.box}>
          <div className={css.mirror} aria-hidden>
            <span style={{ marginLeft: -scrolled }}>
              {ends && !typing && (
                <>
                  {text.slice(0, ends.from)}
                  <mark className={css.mark}>{text.slice(ends.from, ends.to) || " "}</mark>
                </>
              )}
            </span>
          </div>
          <input
            ref={field}
            className={css.input}
            role="combobox"
            aria-label="Filter the runs"
            aria-expanded={options.length > 0}
            aria-controls={`${id}-list`}
            aria-autocomplete="list"
            aria-activedescendant={picked >= 0 ? `${id}-${picked}` : undefined}
            aria-invalid={wrong || undefined}
            aria-describedby={wrong ? `${id}-wrong` : undefined}
            placeholder="Filter: metrics.auc > 0.7 AND params.depth = '6'"
            spellCheck={false}
            autoComplete="off"
            value={text}
            onChange={(e) => {
              setShown(true);
              setPicked(-1);
              setTyped(e.target.value !== "");
              setDraft({
                of: value,
                text: e.target.value,
                at: e.target.selectionStart ?? e.target.value.length,
              });
            }}
            onSelect={(e) => {
              const at = e.currentTarget.selectionStart ?? 0;
              setDraft((d) => (d.at === at ? d : { ...d, at }));
            }}
            onScroll={(e) => setScrolled(e.currentTarget.scrollLeft)}
            onFocus={() => {
              setShown(true);
              setTyped(false);
            }}
            onBlur={() => setShown(false)}
            onKeyDown={onKeyDown}
          />
        </div>
        {text !== value && problem === undefined && (
          <Button size="compact-xs" variant="light" onClick={() => apply(text)}>
            Apply
          </Button>
        )}
        {text !== "" && (
          <CloseButton
            size="sm"
            aria-label="Clear the filter"
            onMouseDown={(e) => e.preventDefault()}
            onClick={() => apply("")}
          />
        )}
      </div>
      <ul
        id={`${id}-list`}
        role="listbox"
        aria-label="Suggestions"
        className={css.list}
        hidden={options.length === 0}
      >
        {options.map((o, i) => (
          <li
            key={`${o.kind} ${o.text}`}
            id={`${id}-${i}`}
            role="option"
            aria-selected={i === picked}
            className={css.option}
            ref={(el) => {
              if (i === picked) el?.scrollIntoView({ block: "nearest" });
            }}
            onMouseDown={(e) => {
              e.preventDefault();
              take(o.text);
            }}
          >
            <span className={css.optionText}>{o.text}</span>
            <span className={css.kind}>
              {o.runs ? `${o.runs} runs` : o.kind === "parameter" ? "param" : o.kind}
            </span>
          </li>
        ))}
      </ul>
      {wrong && (
        <p id={`${id}-wrong`} role="status" className={css.wrong}>
          {problem.message}
        </p>
      )}
    </div>
  );
}
