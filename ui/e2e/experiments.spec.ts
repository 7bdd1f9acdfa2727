import { expect, it } from "vitest";
import { look, project, settled, visit, withBrowser } from "./browser";

withBrowser();

const at = `/p/${project}`;
/** Waits for the first row of the table of runs. */
const filled = (page: Parameters<typeof settled>[0]) =>
  page.locator('[role="grid"] a[href*="/runs/"]').first().waitFor();

it("shows the experiments", () => look("experiments", `${at}/experiments`), 60_000);
it("shows the trash", () => look("trash", `${at}/experiments/trash`), 60_000);
it("shows the runs of an experiment", () => look("runs", `${at}/experiments/1`, filled), 60_000);
it("shows the runs of all experiments", () => look("all-runs", `${at}/runs`, filled), 60_000);

it("leads from the table to a run", async () => {
  const v = await visit(`${at}/experiments/1`);
  await filled(v.page);
  await v.page.locator('[role="grid"] a[href*="/runs/"]').first().click();
  await v.page.waitForURL(/\/experiments\/1\/runs\/\w+/);
  await settled(v.page);
  expect(v.troubles).toEqual([]);
  await v.close();
});
