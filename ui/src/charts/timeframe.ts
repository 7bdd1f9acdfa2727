// The shared time axis of charts that stand one below the other.

/** A stretch of time, in milliseconds, laid out over a width in pixels. */
export interface TimeFrame {
  from: number;
  to: number;
  width: number;
}

/** The place of a time in pixels from the left, within the frame. */
export function place(f: TimeFrame, ms: number): number {
  const share = (ms - f.from) / (f.to - f.from);
  return Math.min(1, Math.max(0, share)) * f.width;
}

export interface Tick {
  at: number;
  label: string;
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const roomPx = 50;

/** Times to write below an axis, in UTC, as many as there is room for. */
export function ticks(f: TimeFrame): Tick[] {
  const most = Math.max(2, Math.floor(f.width / roomPx));
  const span = f.to - f.from;
  for (const step of [HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY]) {
    if (span / step <= most) return regular(f, step);
  }
  for (const step of [1, 2, 3, 6, 12]) {
    if (span / (30 * DAY * step) <= most) return monthly(f, step);
  }
  return monthly(f, 12 * Math.ceil(span / (365 * DAY) / most));
}

function regular(f: TimeFrame, step: number): Tick[] {
  const out: Tick[] = [];
  for (let at = Math.ceil(f.from / step) * step; at <= f.to; at += step) {
    const t = new Date(at);
    const date = `${t.getUTCDate()} ${months[t.getUTCMonth()] ?? ""}`;
    const midnight = at % DAY === 0;
    out.push({ at, label: step < DAY && !midnight ? t.toISOString().slice(11, 16) : date });
  }
  return out;
}

function monthly(f: TimeFrame, step: number): Tick[] {
  const out: Tick[] = [];
  const first = new Date(f.from);
  const year = first.getUTCFullYear();
  for (let month = Math.floor(first.getUTCMonth() / step) * step; ; month += step) {
    const t = new Date(Date.UTC(year, month, 1));
    const [at, m] = [t.getTime(), t.getUTCMonth()];
    if (at > f.to) return out;
    if (at >= f.from)
      out.push({ at, label: m === 0 ? String(t.getUTCFullYear()) : (months[m] ?? "") });
  }
}

/** "3 Mar 2011", or "3 Mar 2011 14:00" where it is not midnight; UTC. */
export function moment(ms: number): string {
  const t = new Date(ms);
  const date = `${t.getUTCDate()} ${months[t.getUTCMonth()] ?? ""} ${t.getUTCFullYear()}`;
  return ms % DAY === 0 ? date : `${date} ${t.toISOString().slice(11, 16)}`;
}

/** "3–6 Mar 2011", "30 Mar – 2 Apr 2011", "3 Mar 2011 14:00–15:00"; UTC. */
export function period(from: number, to: number): string {
  const [a, b] = [new Date(from), new Date(to)];
  if (from % DAY !== 0 || to % DAY !== 0) {
    const [start, end] = [a.toISOString(), b.toISOString()];
    const sameDay = start.slice(0, 10) === end.slice(0, 10);
    const begins = from % DAY === 0 ? `${moment(from)} 00:00` : moment(from);
    return `${begins}–${sameDay ? end.slice(11, 16) : moment(to)}`;
  }
  const last = new Date(to - 1); // the end is not a part of it
  const end = moment(Date.UTC(last.getUTCFullYear(), last.getUTCMonth(), last.getUTCDate()));
  if (to - from <= DAY) return moment(from);
  if (a.getUTCFullYear() !== last.getUTCFullYear()) return `${moment(from)} – ${end}`;
  if (a.getUTCMonth() !== last.getUTCMonth())
    return `${a.getUTCDate()} ${months[a.getUTCMonth()] ?? ""} – ${end}`;
  return `${a.getUTCDate()}–${end}`;
}
