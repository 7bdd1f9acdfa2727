import { expect, it } from "vitest";
import { look, project, settled, withBrowser, visit } from "./browser";

withBrowser();

it("shows home", () => look("home", `/p/${project}`), 60_000);

it("leads MLflow's links to their pages, in the project that they name", async () => {
  for (const [from, to] of [
    [`/p/${project}/#/experiments/1/runs/abc`, `/p/${project}/experiments/1/runs/abc`],
    ["/#/experiments/0", "/p/default/experiments/0"],
    [`/p/${project}/#/models/bikes/versions/1`, `/p/${project}/models/bikes/versions/1`],
  ] as const) {
    const v = await visit(from);
    await settled(v.page);
    expect(new URL(v.page.url()).pathname).toBe(to);
    await v.close();
  }
});
