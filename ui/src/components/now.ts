import { useSyncExternalStore } from "react";

// One clock for the whole page: relative times move together, ten seconds apart.
const TICK_MS = 10_000;
function tick(): number {
  return Math.floor(Date.now() / TICK_MS) * TICK_MS;
}
let now = tick();
const readers = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

function subscribe(reader: () => void): () => void {
  readers.add(reader);
  timer ??= setInterval(() => {
    now = tick();
    readers.forEach((r) => r());
  }, TICK_MS);
  return () => {
    readers.delete(reader);
    if (readers.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

function read(): number {
  if (readers.size === 0) now = tick();
  return now;
}

/** Wall time in milliseconds, renewed every ten seconds. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, read);
}
