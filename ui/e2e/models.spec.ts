import { expect, it } from "vitest";
import { look, project, settled, visit, withBrowser } from "./browser";

withBrowser();

const model = project;
const at = `/p/${project}/models`;

it("shows the models", () => look("models", at), 60_000);
it("shows a model", () => look("model", `${at}/${model}`), 60_000);
it("shows a version", () => look("version", `${at}/${model}/versions/6`), 60_000);
it(
  "shows a version that a gate stopped",
  () => look("version-stopped", `${at}/${model}/versions/5`),
  60_000,
);
it(
  "compares two versions",
  () => look("versions-compared", `${at}/${model}/compare?a=4&b=6`),
  60_000,
);
it("says that there is no such version", async () => {
  const v = await visit(`${at}/${model}/versions/999`);
  await settled(v.page);
  await v.page
    .getByRole("alert")
    .getByText(/no version 999/)
    .waitFor();
  await v.close();
});
it("goes from the list to a model, back in time, and to a version's proof", async () => {
  const v = await visit(at);
  await settled(v.page);
  await v.page.getByRole("link", { name: model, exact: true }).click();
  await v.page.getByRole("heading", { level: 1, name: model, exact: true }).waitFor();
  await v.page.getByRole("button", { name: /as of move 3:/ }).click();
  await v.page.getByText(/As it was on/).waitFor();
  await settled(v.page);
  await v.page.waitForURL(/as_of=.*Z$/);
  await v.page.getByRole("button", { name: "Back to now" }).click();
  await v.page
    .getByRole("region", { name: "Versions" })
    .getByRole("link", { name: "version 6", exact: true })
    .first()
    .click();
  await v.page.getByRole("heading", { level: 1, name: `${model} version 6` }).waitFor();
  await settled(v.page);
  await v.page.getByText("candidate.wape", { exact: true }).first().waitFor();
  await v.page.getByRole("button", { name: "Compute it again" }).first().click();
  await v.page.getByText("computed again: the same").first().waitFor();
  const download = v.page.waitForEvent("download");
  await v.page.getByRole("link", { name: "Download the proof" }).click();
  expect((await download).suggestedFilename()).toBe(`${model}-6-proof.json`);
  expect(v.troubles).toEqual([]);
  await v.close();
}, 60_000);
