import { expect, it } from "vitest";
import { accessibility, look, project, settled, visit, withBrowser } from "./browser";

withBrowser();

const endpoints = `/p/${project}/endpoints`;
const page = `${endpoints}/bikes/production`;

it("shows endpoints", () => look("endpoints", `${endpoints}?last=720h`), 60_000);
it("shows one endpoint", () => look("endpoint", `${page}?last=8760h`), 60_000);
it("shows the rollouts to it", () => look("endpoint-rollouts", `${page}?tab=rollouts`), 60_000);
it("shows the form to try it", () => look("endpoint-try", `${page}?tab=try`), 60_000);

it("leads from an endpoint to the evidence of each step of a canary", async () => {
  const v = await visit(`${page}?tab=rollouts`);
  await settled(v.page);
  await v.page
    .getByRole("link", { name: /^Canary of version/ })
    .first()
    .click();
  await v.page.getByRole("list", { name: "Steps of the rollout" }).waitFor();
  await settled(v.page);
  const steps = await v.page.getByRole("list", { name: "Steps of the rollout" }).innerText();
  expect(steps).toMatch(/10 %\s+passed/);
  expect(steps).toMatch(/loss \d+(\.\d+)? % (below|above) live over \d+ labels/);
  expect(steps).toMatch(/wealth .+ of 20 after \d+ days/);
  const blocks = v.page.getByRole("group", { name: "Paired losses, block by block" });
  await expect.poll(() => blocks.getByRole("row").count()).toBeGreaterThan(4);
  const path = new URL(v.page.url()).pathname;
  expect(v.troubles).toEqual([]);
  await v.close();
  await look("rollout", path);
}, 90_000);

for (const size of ["wide", "narrow"] as const) {
  it(`has Roll back in sight, and says what it would do (${size})`, async () => {
    const v = await visit(page, size);
    await settled(v.page);
    const back = v.page.getByRole("button", { name: "Roll back" });
    const box = await back.boundingBox();
    const height = v.page.viewportSize()?.height ?? 0;
    expect(box && box.y >= 0 && box.y + box.height <= height).toBe(true);
    await back.click();
    const dialog = v.page.getByRole("dialog");
    await dialog.waitFor();
    await expect
      .poll(() => dialog.innerText())
      .toMatch(/Version \d+ becomes live in place of version \d+/);
    expect(await accessibility(v.page)).toEqual([]);
    await v.page.keyboard.press("Escape");
    await dialog.waitFor({ state: "hidden" });
    expect(v.troubles).toEqual([]);
    await v.close();
  });
}

it("asks an endpoint by the keyboard, and leaves no trace", async () => {
  const v = await visit(`${page}?tab=try`);
  await settled(v.page);
  await v.page.getByRole("textbox", { name: "hr, row 1" }).fill("8");
  await v.page.keyboard.press("Enter");
  await v.page.getByRole("region", { name: "Answers" }).waitFor();
  expect(await v.page.getByText(/there and back/).innerText()).toMatch(
    /Version \d+ answered 1 row in .+ not counted/,
  );
  await v.page.getByRole("tab", { name: "CLI", exact: true }).click();
  expect(await v.page.getByLabel("CLI call", { exact: true }).innerText()).toContain(
    "fairlead predict",
  );
  expect(v.troubles).toEqual([]);
  await v.close();
});
