import { defineConfig } from "vitest/config";

// The stories of the pages, in a real browser against a real server. e2e/ui_test.go
// starts both; FAIRLEAD_URL names a server of one's own (see README.md).
export default defineConfig({
  test: {
    root: import.meta.dirname,
    environment: "node",
    include: ["*.spec.ts"],
    // As long as a machine takes that does other things too; how long a page takes is
    // measured in bench/ui.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 20_000 } },
    maxWorkers: 2, // each with a browser of its own
    // A machine that does other things too lets a story fail once in hundreds. One that
    // passes only when it is tried again is told of.
    retry: 1,
    reporters: ["default", "./reporter.ts"],
  },
});
