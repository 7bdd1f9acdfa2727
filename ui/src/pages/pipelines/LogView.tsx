import { ActionIcon, Switch, TextInput } from "@mantine/core";
import { useClipboard, useDebouncedValue } from "@mantine/hooks";
import { useVirtualizer } from "@tanstack/react-virtual";
import { Check, ChevronDown, ChevronUp, Copy, Download, Search } from "lucide-react";
import { useCallback, useEffect, useMemo, useRef, useState, type KeyboardEvent } from "react";
import { Choice } from "../../components/Choice";
import { Lines } from "../../components/Loaded";
import { saveFile } from "../../components/save";
import { Empty, Failure, Old } from "../../components/State";
import { bytes, count, plural } from "../../format/number";
import { type Style } from "./ansi";
import { MOST_MATCHES, pieces, type Log, type Match } from "./log";
import css from "./LogView.module.css";
import { useLog } from "./useLog";

interface LogViewProps {
  project: string;
  run: string;
  /** As the server names it: train@3. */
  step: string;
  /** How it is called where there is little room, such as the name of a file. */
  file: string;
}

const ROW = 18;

/** What a step printed, as it prints it. */
export function LogView({ project, run, step, file }: LogViewProps) {
  const [attempt, setAttempt] = useState(0); // 0 is the newest
  const { log, changes, error, updated, again } = useLog(project, run, step, attempt);
  const [wrap, setWrap] = useState(false);
  const [follow, setFollow] = useState(true);
  const box = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({
    count: log.lines.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: 30,
    getItemKey: useCallback((i: number) => (wrap ? `w${i}` : i), [wrap]), // else all are measured anew
  });
  const find = useSearch(log, changes);

  // While it is followed, the end stays in sight.
  useEffect(() => {
    if (follow && log.lines.length > 0) rows.scrollToIndex(log.lines.length - 1, { align: "end" });
  }, [follow, changes, log, rows]);

  // A match that is stepped to comes into sight, and what follows is not followed any more.
  const { current } = find;
  const line = current?.line;
  useEffect(() => {
    if (line !== undefined) rows.scrollToIndex(line, { align: "center" });
  }, [line, current, rows]);

  const stepTo = (by: number) => {
    setFollow(false);
    find.step(by);
  };
  const keys = (e: KeyboardEvent) => {
    if (e.target !== e.currentTarget || e.ctrlKey || e.metaKey || e.altKey) return;
    if (e.key === "n") stepTo(1);
    else if (e.key === "N") stepTo(-1);
    else if (e.key === "w") setWrap(!wrap);
    else if (e.key === "f") setFollow(!follow);
    else {
      if (["ArrowUp", "PageUp", "Home"].includes(e.key)) setFollow(false);
      return;
    }
    e.preventDefault();
  };

  if (changes === 0) {
    return (
      <div className={css.loading} role="status" aria-label="Loading" aria-busy="true">
        <Lines n={12} height={12} />
      </div>
    );
  }
  const nothing = log.lines.length === 0;
  return (
    <div className={css.log}>
      <div className={css.bar}>
        <Find find={find} step={stepTo} />
        {log.attempts > 1 && (
          <Choice
            aria-label="Attempt"
            className={css.attempt ?? ""}
            data={Array.from({ length: log.attempts }, (_, i) => ({
              value: String(i + 1),
              label: `Attempt ${i + 1} of ${log.attempts}`,
            }))}
            value={String(log.attempt)}
            onChange={(n) => setAttempt(n === String(log.attempts) ? 0 : Number(n))}
          />
        )}
        <div className={css.right}>
          <Switch
            label="Follow"
            checked={follow}
            onChange={(e) => setFollow(e.currentTarget.checked)}
          />
          <Switch label="Wrap" checked={wrap} onChange={(e) => setWrap(e.currentTarget.checked)} />
          <CopyAll text={() => log.text()} />
          <ActionIcon
            data-tip="Download"
            aria-label="Download the log"
            onClick={() => saveFile(file, log.text())}
          >
            <Download size={16} aria-hidden />
          </ActionIcon>
        </div>
      </div>
      {error !== null && nothing && <Failure error={error} retry={again} />}
      {!nothing && (
        <Old query={{ isError: error !== null, error, dataUpdatedAt: updated, refetch: again }} />
      )}
      {nothing && log.done && <Empty title="It printed nothing" />}
      {nothing && !log.done && error === null && <Empty title="It has printed nothing yet" />}
      {!nothing && (
        <div
          ref={box}
          className={css.box}
          // A log that has ended takes no more room than it needs.
          style={log.done && !wrap ? { height: rows.getTotalSize() + 24 } : undefined}
          role="region"
          aria-label={`Log of ${step}`}
          aria-description="n and N step through what is searched for, w wraps lines, f follows"
          tabIndex={0}
          onKeyDown={keys}
          onWheel={(e) => {
            if (e.deltaY < 0) setFollow(false);
          }}
          onTouchMove={() => setFollow(false)}
        >
          <div className={css.lines} style={{ height: rows.getTotalSize() }}>
            {rows.getVirtualItems().map((row) => (
              <div
                key={row.key}
                data-index={row.index}
                ref={wrap ? rows.measureElement : undefined}
                className={wrap ? `${css.line} ${css.wrapped}` : css.line}
                style={{ transform: `translateY(${row.start}px)` }}
              >
                <span className={css.number} data-number={row.index + 1} aria-hidden />
                <Text
                  line={log.lines[row.index] ?? ""}
                  look={log.look(row.index)}
                  wanted={find.wanted}
                  current={row.index === line ? find.inLine : undefined}
                />
              </div>
            ))}
          </div>
        </div>
      )}
      <div className={css.foot}>
        <span>
          {plural(log.lines.length, "line")}, {bytes(log.end)}
          {log.dropped > 0 && `, of which ${bytes(log.dropped)} were dropped`}
        </span>
        <span>{log.done ? "The end" : log.next < log.end ? "Reading" : "It goes on"}</span>
      </div>
    </div>
  );
}

interface Finding {
  text: string;
  setText: (text: string) => void;
  /** What is looked for; it follows the text after a moment. */
  wanted: string;
  matches: readonly Match[];
  /** The number of the current one, from 0. */
  at: number;
  current: Match | undefined;
  /** The number of the current one in its line. */
  inLine: number;
  step: (by: number) => void;
}

function useSearch(log: Log, changes: number): Finding {
  const [text, setText] = useState("");
  const [wanted] = useDebouncedValue(text, 120);
  const [at, setAt] = useState(0);
  // eslint-disable-next-line react-hooks/exhaustive-deps -- the log grows in place; changes says so
  const matches = useMemo(() => log.search(wanted), [log, wanted, changes]);
  const current = wanted === "" ? undefined : matches[at];
  let inLine = 0;
  while (current && matches[at - inLine - 1]?.line === current.line) inLine++;
  return {
    text,
    setText: (next) => {
      setText(next);
      setAt(0);
    },
    wanted,
    matches,
    at,
    current,
    inLine,
    step: (by) => {
      if (matches.length > 0) setAt((at + by + matches.length) % matches.length);
    },
  };
}

function Find({ find, step }: { find: Finding; step: (by: number) => void }) {
  const n = find.matches.length;
  const told =
    find.wanted === ""
      ? ""
      : n === 0
        ? "none"
        : `${find.at + 1} of ${n === MOST_MATCHES ? `${count(n)} or more` : count(n)}`;
  return (
    <div className={css.find}>
      <TextInput
        type="search"
        aria-label="Search the log"
        placeholder="Search"
        leftSection={<Search size={14} aria-hidden />}
        value={find.text}
        onChange={(e) => find.setText(e.currentTarget.value)}
        onKeyDown={(e) => {
          if (e.key === "Enter") step(e.shiftKey ? -1 : 1);
          if (e.key === "Escape") find.setText("");
        }}
      />
      <span className={css.told} role="status">
        {told}
      </span>
      {find.wanted !== "" && (
        <>
          <ActionIcon
            data-tip="The match before (N, Shift+Enter)"
            aria-label="The match before"
            disabled={n === 0}
            onClick={() => step(-1)}
            size="sm"
          >
            <ChevronUp size={16} aria-hidden />
          </ActionIcon>
          <ActionIcon
            data-tip="The next match (n, Enter)"
            aria-label="The next match"
            disabled={n === 0}
            onClick={() => step(1)}
            size="sm"
          >
            <ChevronDown size={16} aria-hidden />
          </ActionIcon>
        </>
      )}
    </div>
  );
}

interface TextProps {
  line: string;
  look: Style;
  wanted: string;
  current: number | undefined;
}

function Text({ line, look, wanted, current }: TextProps) {
  return (
    <span className={css.text}>
      {pieces(line, look, wanted).map((p, i) => {
        const className = looks(p.style);
        if (p.match === undefined) {
          return className === "" ? (
            p.text
          ) : (
            <span key={i} className={className}>
              {p.text}
            </span>
          );
        }
        return (
          <mark key={i} className={p.match === current ? `${className} ${css.current}` : className}>
            {p.text}
          </mark>
        );
      })}
    </span>
  );
}

function looks(s: Style): string {
  const names = [s.color && `fg-${s.color}`, s.back && `bg-${s.back}`];
  for (const name of ["bold", "dim", "italic", "underline"] as const) if (s[name]) names.push(name);
  return names.flatMap((name) => (name ? [css[name] ?? ""] : [])).join(" ");
}

function CopyAll({ text }: { text: () => string }) {
  const { copied, copy } = useClipboard({ timeout: 1500 });
  const label = copied ? "Copied" : "Copy the log";
  return (
    <ActionIcon data-tip={label} aria-label={label} onClick={() => copy(text())}>
      {copied ? <Check size={16} aria-hidden /> : <Copy size={16} aria-hidden />}
    </ActionIcon>
  );
}
