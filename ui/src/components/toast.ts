/** A word on what was done, which goes away by itself; of what went wrong, when it is dismissed. */
export interface Toast {
  title: string;
  message?: string;
  tone?: "good" | "bad";
  /** What can be done about it, such as Undo. */
  action?: { label: string; run: () => void };
  /** What it is about, where it is said once until it is dismissed. */
  key?: string;
}

/** How long a toast stays, in milliseconds of wall time; longer when it offers something. */
const STAYS_MS = 6_000;
const STAYS_WITH_ACTION_MS = 15_000;
const STAYS_READ_MS = 2_000; // and while the pointer or the keyboard is in it
const MOST = 5;

export interface Shown extends Toast {
  id: number;
}

const NONE: readonly Shown[] = [];

let shown = NONE;
let last = 0;
/** Where toasts can be: in the frame, and in each open dialog, beside which all else is inert. */
let boxes: readonly HTMLElement[] = [];
const readers = new Set<() => void>();

function set(next: readonly Shown[], where = boxes): void {
  shown = next;
  boxes = where;
  readers.forEach((read) => read());
}

/** Has toasts in a box while no dialog above it is open; until what it returns is called. */
export function toastsIn(box: HTMLElement): () => void {
  set(shown, box.closest("dialog") ? [...boxes, box] : [box, ...boxes]);
  return () =>
    set(
      shown,
      boxes.filter((b) => b !== box),
    );
}

/** Moves the focus to the newest toast, where there is one. */
export function goToToasts(): void {
  boxes.at(-1)?.querySelector<HTMLElement>(":scope > :last-child button")?.focus();
}

/** Shows a toast on whatever page is open. */
export function toast(t: Toast): void {
  if (t.key !== undefined && shown.some((s) => s.key === t.key)) return;
  const id = ++last;
  set([...shown, { ...t, id }].slice(-MOST));
  if (t.tone === "bad") return;
  const leave = () => {
    if (boxes.at(-1)?.matches(":hover, :focus-within")) setTimeout(leave, STAYS_READ_MS);
    else dismiss(id);
  };
  setTimeout(leave, t.action ? STAYS_WITH_ACTION_MS : STAYS_MS);
}

/** Takes away a toast by its id or its key. */
export function dismiss(id: number | string): void {
  set(shown.filter((t) => t.id !== id && t.key !== id));
}

/** For useSyncExternalStore. */
export const toasts = {
  subscribe(reader: () => void): () => void {
    readers.add(reader);
    return () => readers.delete(reader);
  },
  read: () => shown,
  /** Those that a box has. */
  in: (box: HTMLElement | null) => (box && box === boxes.at(-1) ? shown : NONE),
};
