import type { Reporter, TestCase, TestModule } from "vitest/node";

/**
 * Prints a line for each story that failed, and for each that passed only when it was tried
 * again, which is a fault of the story or of the page that somebody should look for:
 * `FAILED STORY: <file> > <name>: <why>` and `SECOND ATTEMPT: …`. The Go test that runs the
 * stories passes these lines on.
 */
export default class Lines implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    for (const module of modules) {
      for (const error of module.errors()) print("FAILED STORY", module.moduleId, error.message);
      for (const test of module.children.allTests()) {
        if (test.result().state === "failed") print("FAILED STORY", name(test), why(test));
        else if (test.diagnostic()?.flaky) print("SECOND ATTEMPT", name(test), why(test));
      }
    }
  }
}

const name = (test: TestCase) => `${test.module.relativeModuleId} > ${test.fullName}`;

const why = (test: TestCase) => (test.result().errors ?? []).map((e) => e.message).join(" | ");

function print(what: string, where: string, reason: string): void {
  console.log(`${what}: ${where}: ${reason.replace(/\s+/g, " ").slice(0, 600)}`);
}
