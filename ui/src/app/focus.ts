type Stop = HTMLElement | SVGElement;

/** What the Tab key stops at, and the names of pages. */
const STOPS =
  "h1[tabindex], a[href], button, input, select, textarea, summary, [tabindex]:not([tabindex='-1'])";
/** Those that one can do something with. */
const CONTROLS = "a, button, input, select, textarea, summary";
/** Around what has gone, nothing is looked for beyond these. */
const WHOLE = "#main, dialog, [popover]";

/** What had the focus, and was seen to have it. */
interface Held {
  at: Stop;
  /** The page that it was on. */
  path: string;
  /** A selector of what the keys go on with when it has gone, from data-keys-to around it. */
  to: string | undefined;
  /** How it has gone, once it has. */
  gone?: MutationRecord;
}

/**
 * Keeps the keyboard's place when what it is at goes from the page, or is disabled: it goes on
 * with what comes in its stead, or else with what stands beside it; and it comes back to what
 * was only moved, or busy. One listener for the whole document. Whoever uses a pointer is left
 * alone.
 */
export function keepFocus(): void {
  let held: Held | undefined;
  const changes = new MutationObserver((records) => {
    const at = held?.at;
    const gone = records.findLast((r) => [...r.removedNodes].some((n) => at && n.contains(at)));
    if (held && gone) held.gone = gone;
    // React has its turn first: a component may know better where the focus goes.
    requestAnimationFrame(() => {
      if (held && isLost(held)) goOn(held);
    });
  });
  const letGo = () => {
    changes.disconnect();
    held = undefined;
  };
  document.addEventListener("pointerdown", letGo, true);
  document.addEventListener("focusin", ({ target: at }) => {
    letGo();
    if (!(at instanceof HTMLElement || at instanceof SVGElement)) return;
    if (!at.matches("h1, :focus-visible")) return;
    const to = at.closest<HTMLElement>("[data-keys-to]")?.dataset["keysTo"];
    held = { at, to, path: location.pathname };
    // It goes when it, or a box around it, leaves the box around that: no more is watched.
    changes.observe(at, { attributeFilter: ["disabled"] });
    for (let box = at.parentElement; box; box = box.parentElement)
      changes.observe(box, { childList: true });
  });
}

/** Moves the focus to the name of a page that has come; but not from a field that led there. */
export function goToPage(): void {
  if (document.activeElement?.closest("dialog, #main :is(input, select)")) return;
  const main = document.getElementById("main");
  (main?.querySelector("h1") ?? main)?.focus({ preventScroll: true });
}

/** Whether nothing has the focus, or what has it is about to lose it. */
function isLost({ at }: Held): boolean {
  const now = document.activeElement;
  return now === null || now === document.body || (now === at && at.matches(":disabled"));
}

function goOn({ at, path, to, gone }: Held): void {
  if (path !== location.pathname) return goToPage();
  if (at.isConnected && !at.matches(":disabled")) return at.focus();
  if (at.isConnected && at.matches("[data-loading]")) return; // it is enabled again after that
  const next = to && !at.isConnected ? document.querySelector<HTMLElement>(to) : undefined;
  (next ?? nearest(gone?.target ?? at.parentNode, gone?.previousSibling ?? at, at))?.focus();
}

/** The stop that is nearest to a place in a box, first behind what is before it. */
function nearest(box: Node | null, before: Node | null, like: Stop): Stop | undefined {
  while (before && !(before instanceof Element)) before = before.previousSibling;
  for (let last = before, at = box; at instanceof Element; last = at, at = at.parentElement) {
    const all = [...at.children];
    const behind = all.indexOf(last as Element) + 1;
    for (const one of [...all.slice(behind), ...all.slice(0, behind).reverse()]) {
      const stop = stopIn(one, like);
      if (stop) return stop;
    }
    if (at.matches(WHOLE)) break;
  }
  return document.getElementById("main") ?? undefined;
}

/** Where one goes on in a box: where it says so, at what is alike, or at its first control. */
function stopIn(box: Element, like: Stop): Stop | undefined {
  const all = [box, ...box.querySelectorAll("*")].filter(
    (el): el is Stop =>
      el.matches(STOPS) &&
      !el.matches(":disabled, [tabindex='-1']:not(h1)") &&
      el.checkVisibility({ visibilityProperty: true }),
  );
  const alike = (el: Stop) => el.tagName === like.tagName && el.className === like.className;
  return (
    all.find((el) => el.matches("[data-autofocus]")) ??
    all.find(alike) ??
    all.find((el) => el.matches(CONTROLS)) ??
    all[0]
  );
}
