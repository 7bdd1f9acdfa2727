import type uPlot from "uplot";
import type { Range } from "./lines";

/**
 * The part of an axis that is in sight once two of its values lie under two fingers: `values`
 * at `places`, from 0 at the left to 1. It stays within `whole`; undefined is all of it.
 * Fingers that lie closer than a hundredth of the axis change nothing.
 */
export function pinched(
  values: Range,
  places: Range,
  whole: Range,
  log = false,
): Range | undefined | "same" {
  const [to, back] = log ? [Math.log, Math.exp] : [(v: number) => v, (v: number) => v];
  const [a, b] = values.map(to) as [number, number];
  const apart = places[1] - places[0];
  if (Math.abs(apart) < 0.01 || (b - a) / apart <= 0) return "same";
  const width = (b - a) / apart;
  const low = a - places[0] * width;
  const [least, most] = whole.map(to) as [number, number];
  if (low <= least && low + width >= most) return undefined;
  return [back(Math.max(least, low)), back(Math.min(most, low + width))];
}

interface Zooms {
  /** Shows a range while the fingers move, undefined all. */
  show: (range: Range | undefined) => void;
  /** They have left it so. */
  done: (range: Range | undefined) => void;
  whole: () => Range;
  log: boolean;
}

/** One finger points at values, and two zoom and move what is between them. */
export function byTouch(u: uPlot, { show, done, whole, log }: Zooms): void {
  const fingers = new Map<number, number>(); // px from the left of the plot
  let pinch: { values: Range; whole: Range; range?: Range | undefined; moved: boolean } | undefined;
  const left = (e: PointerEvent) => e.clientX - u.over.getBoundingClientRect().left;
  const two = () => [...fingers.values()].slice(0, 2) as [number, number];
  u.over.addEventListener("pointerdown", (e) => {
    if (e.pointerType !== "touch") return;
    fingers.set(e.pointerId, left(e));
    if (fingers.size !== 2) return;
    const [a, b] = two();
    const values = [u.posToVal(a, "x"), u.posToVal(b, "x")] as const;
    pinch = { values, whole: whole(), moved: false };
    u.setCursor({ left: -10, top: -10 });
  });
  u.over.addEventListener("pointermove", (e) => {
    if (!fingers.has(e.pointerId)) return;
    fingers.set(e.pointerId, left(e));
    const width = u.over.clientWidth;
    if (!pinch) {
      u.setCursor({ left: left(e), top: e.offsetY });
      return;
    }
    const [a, b] = two();
    const range = pinched(pinch.values, [a / width, b / width], pinch.whole, log);
    if (range === "same") return;
    pinch = { ...pinch, range, moved: true };
    show(range);
  });
  const lifted = (e: PointerEvent) => {
    fingers.delete(e.pointerId);
    if (!pinch || fingers.size >= 2) return;
    if (pinch.moved) done(pinch.range);
    pinch = undefined;
  };
  u.over.addEventListener("pointerup", lifted);
  u.over.addEventListener("pointercancel", lifted);
}
