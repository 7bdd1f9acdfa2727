import type { LogPart } from "../../data/pipelines";
import { parse, PLAIN, plain, type Style } from "./ansi";

/** A place in a log: the line from 0, and where in its plain text. */
export interface Match {
  line: number;
  from: number;
}

/** The most matches that are counted. */
export const MOST_MATCHES = 10_000;

/**
 * The lines of a log as they come. A carriage return begins a line anew, as a progress bar
 * does; what the server has dropped is a line of its own.
 */
export class Log {
  /** The lines as they were printed, with their control sequences. */
  readonly lines: string[] = [];
  /** Where the next part begins, in bytes. */
  next = 0;
  /** Bytes that were printed so far, of which `dropped` are not kept. */
  end = 0;
  dropped = 0;
  attempt = 0;
  attempts = 0;
  /** Nothing will follow. */
  done = false;
  private open = false; // the last line has no end yet
  private found = { wanted: "", lines: 0, matches: [] as Match[] }; // in lines that have ended
  private looks = new Map<number, Style>(); // of lines that do not begin plain
  private style: Style = PLAIN;

  /** Adds a part; one of another attempt begins the log anew. */
  add(part: LogPart): void {
    if (part.attempt !== this.attempt) this.clear();
    this.attempt = part.attempt;
    this.attempts = part.attempts;
    this.next = part.next;
    this.end = part.end;
    this.done = part.done;
    if (part.skipped > 0) {
      this.dropped += part.skipped;
      this.close();
      this.begin(droppedLine(part.skipped));
      this.close();
    }
    this.print(part.text);
  }

  /** The look with which a line begins. */
  look(line: number): Style {
    return this.looks.get(line) ?? PLAIN;
  }

  /** All that is here, as plain text. */
  text(): string {
    return this.lines.map(plain).join("\n") + (this.open || this.lines.length === 0 ? "" : "\n");
  }

  /**
   * Where a text stands, whatever its case; at most MOST_MATCHES places. Lines that were
   * looked through are not looked through again when others follow.
   */
  search(wanted: string): readonly Match[] {
    if (this.found.wanted !== wanted) this.found = { wanted, lines: 0, matches: [] };
    const { found } = this;
    const ended = this.lines.length - (this.open ? 1 : 0);
    const fresh = search(this.lines, wanted, found.lines, ended);
    if (fresh.length > 0) found.matches = [...found.matches, ...fresh].slice(0, MOST_MATCHES);
    found.lines = ended;
    const last = search(this.lines, wanted, ended);
    return last.length === 0 ? found.matches : [...found.matches, ...last].slice(0, MOST_MATCHES);
  }

  private print(text: string): void {
    if (text === "") return;
    const pieces = text.split("\n");
    pieces.forEach((piece, i) => {
      if (i < pieces.length - 1 || piece !== "") this.append(piece);
      if (i < pieces.length - 1) this.close();
    });
  }

  private append(piece: string): void {
    if (!this.open) this.begin("");
    const at = this.lines.length - 1;
    const whole = (this.lines[at] ?? "") + piece;
    // What follows the last return stands on the line, unless the return ends it.
    const body = whole.replace(/\r+$/, "");
    const back = body.lastIndexOf("\r");
    this.lines[at] = back < 0 ? whole : body.slice(back + 1) + whole.slice(body.length);
  }

  private begin(line: string): void {
    this.lines.push(line);
    this.open = true;
    if (this.style !== PLAIN) this.looks.set(this.lines.length - 1, this.style);
  }

  private close(): void {
    if (!this.open) return;
    this.open = false;
    const at = this.lines.length - 1;
    const line = this.lines[at] ?? "";
    if (line.includes("\x1b")) {
      const { after } = parse(line, this.look(at));
      this.style = Object.keys(after).length === 0 ? PLAIN : after;
    }
  }

  private clear(): void {
    this.lines.length = 0;
    this.looks.clear();
    this.next = this.dropped = 0;
    this.found.lines = 0;
    this.found.matches = [];
    this.open = false;
    this.style = PLAIN;
  }
}

function droppedLine(n: number): string {
  return `… ${n.toLocaleString("en-US")} bytes were dropped here: of a long log the beginning and the end are kept …`;
}

/** Where a text stands in lines, whatever its case; at most MOST_MATCHES places. */
export function search(
  lines: readonly string[],
  wanted: string,
  from = 0,
  to = lines.length,
): Match[] {
  const found: Match[] = [];
  const needle = wanted.toLowerCase();
  if (needle === "") return found;
  for (let line = from; line < to; line++) {
    const text = plain(lines[line] ?? "").toLowerCase();
    for (let at = text.indexOf(needle); at >= 0; at = text.indexOf(needle, at + needle.length)) {
      found.push({ line, from: at });
      if (found.length === MOST_MATCHES) return found;
    }
  }
  return found;
}

/** A piece of a line to draw: with a look, and marked when it is what is searched for. */
export interface Piece {
  text: string;
  style: Style;
  /** The number of the match in its line, from 0. */
  match?: number;
}

/** Cuts a line at the places where the wanted text stands. */
export function pieces(line: string, look: Style, wanted: string): Piece[] {
  const { stretches } = parse(line, look);
  const needle = wanted.toLowerCase();
  if (needle === "") return stretches;
  const whole = stretches
    .map((s) => s.text)
    .join("")
    .toLowerCase();
  const starts: number[] = [];
  for (let at = whole.indexOf(needle); at >= 0; at = whole.indexOf(needle, at + needle.length)) {
    starts.push(at);
  }
  if (starts.length === 0) return stretches;
  const out: Piece[] = [];
  let at = 0; // of the stretch in the line
  for (const s of stretches) {
    let done = 0;
    starts.forEach((start, match) => {
      const from = Math.max(start - at, done);
      const to = Math.min(start + needle.length - at, s.text.length);
      if (from >= to) return;
      if (from > done) out.push({ text: s.text.slice(done, from), style: s.style });
      out.push({ text: s.text.slice(from, to), style: s.style, match });
      done = to;
    });
    if (done < s.text.length) out.push({ text: s.text.slice(done), style: s.style });
    at += s.text.length;
  }
  return out;
}
