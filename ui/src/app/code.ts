// The code of a room comes when it is entered. It does not while the server is stopped, nor when
// another version of the program answers, which has other files.

const MISSING = "CodeMissing";

/** Whether an error says that code did not come. */
export function isCodeMissing(error: unknown): boolean {
  return error instanceof Error && error.name === MISSING;
}

/**
 * Marks such errors. The router knows them by their words, and would load the whole page anew
 * at once: nothing would be left of it while the server is stopped.
 */
export function watchCode(): void {
  window.addEventListener("vite:preloadError", ({ payload }) => {
    payload.name = MISSING;
    payload.message = `Missing code: ${payload.message}`;
  });
}
