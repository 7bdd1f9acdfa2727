/** A word on what was done, which goes away by itself. */
export interface Toast {
  title: string;
  message?: string;
  tone?: "good" | "bad";
  /** What can be done about it, such as Undo. */
  action?: { label: string; run: () => void };
}

/** How long a toast stays, in milliseconds of wall time; longer when it offers something. */
const STAYS_MS = 6_000;
const STAYS_WITH_ACTION_MS = 15_000;

export interface Shown extends Toast {
  id: number;
}

let shown: readonly Shown[] = [];
let last = 0;
const readers = new Set<() => void>();

function set(next: readonly Shown[]): void {
  shown = next;
  readers.forEach((read) => read());
}

/** Shows a toast on whatever page is open. */
export function toast(t: Toast): void {
  const id = ++last;
  set([...shown, { ...t, id }]);
  setTimeout(() => dismiss(id), t.action ? STAYS_WITH_ACTION_MS : STAYS_MS);
}

export function dismiss(id: number): void {
  set(shown.filter((t) => t.id !== id));
}

/** For useSyncExternalStore. */
export const toasts = {
  subscribe(reader: () => void): () => void {
    readers.add(reader);
    return () => readers.delete(reader);
  },
  read: () => shown,
};
