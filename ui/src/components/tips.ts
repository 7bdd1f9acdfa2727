import { place } from "./place";
import css from "./tips.module.css";

const AFTER_MS = 300; // of wall time, which a pointer rests on something
const LEAVES_MS = 120; // in which it may cross over to the tip
const WIDE = 240; // px; of what is wider, the tip stands at the pointer

/**
 * Shows the tip of what has the attribute data-tip, while the pointer rests on it or the
 * keyboard's focus is in it: one listener for the whole document, where tables have a
 * thousand times. The tip stays while the pointer is on it, and goes with any key.
 */
export function startTips(): void {
  const tip = document.createElement("div");
  tip.id = "tip";
  tip.role = "tooltip";
  tip.popover = "manual";
  tip.className = css.tip ?? "";
  document.body.append(tip);
  let on: HTMLElement | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let turning: ReturnType<typeof setTimeout> | undefined;
  const renewed = new MutationObserver(() => on && show(on));

  function show(el: HTMLElement, x?: number): void {
    const text = el.dataset["tip"];
    if (!text || !el.isConnected) return hide();
    tip.textContent = text;
    // Its name or description may say it already.
    const said = ["aria-label", "aria-description"].some((name) => el.getAttribute(name) === text);
    if (!said && !el.hasAttribute("aria-describedby")) el.setAttribute("aria-describedby", tip.id);
    tip.showPopover();
    const at = el.getBoundingClientRect();
    const near = x !== undefined && at.width > WIDE;
    place(tip, near ? new DOMRect(x, at.top, 0, at.height) : at, "center", true);
  }

  function hide(): void {
    clearTimeout(timer);
    tip.hidePopover();
    if (on?.getAttribute("aria-describedby") === tip.id) on.removeAttribute("aria-describedby");
  }

  function turn(to: HTMLElement | null, wait: number, x?: number): void {
    if (to === on) return;
    hide();
    renewed.disconnect();
    on = to;
    if (!to) return;
    renewed.observe(to, { attributeFilter: ["data-tip"] });
    timer = setTimeout(() => show(to, x), wait);
  }

  const tipped = (e: Event) => (e.target as Element).closest<HTMLElement>("[data-tip]");
  document.addEventListener("pointerover", (e) => {
    clearTimeout(turning);
    if (e.target === tip) return;
    const to = tipped(e);
    // A finger on a button presses it; on what does nothing it asks what it is.
    const touch = e.pointerType === "touch";
    const next = touch && to?.closest("a, button") ? null : to;
    if (next) turn(next, touch ? 0 : AFTER_MS, e.clientX);
    else turning = setTimeout(() => turn(null, 0), LEAVES_MS);
  });
  document.addEventListener("focusin", (e) => {
    if ((e.target as Element).matches(":focus-visible")) turn(tipped(e), 0);
  });
  document.addEventListener("focusout", () => turn(null, 0));
  for (const event of ["keydown", "pointerdown", "scroll"])
    document.addEventListener(event, hide, true);
}
