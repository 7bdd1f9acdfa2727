// Times as people read them: relative for the eye, absolute with the zone for proof.

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "long" });
const steps: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 31_557_600],
  ["month", 2_629_800],
  ["week", 604_800],
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
];

/** "3 minutes ago", "in 2 days", "just now"; both in milliseconds since 1970. */
export function ago(ms: number, now: number): string {
  const s = Math.round((ms - now) / 1000);
  for (const [unit, seconds] of steps) {
    if (Math.abs(s) >= seconds) return relative.format(Math.trunc(s / seconds), unit);
  }
  return Math.abs(s) < 10 ? "just now" : relative.format(s, "second");
}

const full = new Intl.DateTimeFormat("en-GB", {
  day: "numeric",
  month: "short",
  year: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  timeZoneName: "short",
});

/** "21 Nov 2026, 20:31:05 CET": in the reader's zone, which it names. */
export function absolute(ms: number): string {
  return full.format(ms);
}

const hours = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });

/** "20:31": of this day, in the reader's zone. */
export function clock(ms: number): string {
  return hours.format(ms);
}

/** "2026-11-21 20:31:05 UTC" */
export function utc(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** "2026-11-21": a day in UTC, as stream time is shown on axes. */
export function day(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
