import { expect, it } from "vitest";
import { look, project, settled, visit, withBrowser } from "./browser";

withBrowser();

it(
  "shows the way to everything",
  () =>
    look("commands", `/p/${project}/phases`, async (page) => {
      await page.keyboard.press("Control+k");
      await page.getByRole("combobox", { name: "Search and commands" }).fill(project.slice(0, 3));
      await page.getByRole("group", { name: "Models" }).waitFor();
    }),
  60_000,
);

it("goes to a model's endpoint by the keyboard alone, and gives the focus back", async () => {
  const v = await visit(`/p/${project}/audit`);
  await settled(v.page);
  await v.page.getByRole("button", { name: "Search and commands" }).focus();
  const field = v.page.getByRole("combobox", { name: "Search and commands" });
  await v.page.keyboard.press("/");
  await field.waitFor();
  await v.page.keyboard.type("@production");
  await v.page.getByRole("group", { name: "Endpoints" }).waitFor();
  await v.page.keyboard.press("Escape");
  await v.page
    .getByRole("combobox", { name: "Search and commands" })
    .waitFor({ state: "detached" });
  await expect
    .poll(() => v.page.evaluate(() => document.activeElement?.textContent))
    .toMatch(/^Search and commands/);
  await v.page.keyboard.press("Control+k");
  await field.waitFor();
  await v.page.keyboard.type("@production");
  await v.page.getByRole("group", { name: "Endpoints" }).waitFor();
  await v.page.keyboard.press("Enter");
  await v.page.waitForURL(/\/endpoints\/.+\/production$/);
  expect(v.troubles).toEqual([]);
  await v.close();
});

it("shows the shortcuts", async () => {
  const v = await visit(`/p/${project}/phases`);
  await settled(v.page);
  await v.page.keyboard.press("?");
  await v.page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
  await v.page.keyboard.press("Escape");
  await v.page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor({ state: "detached" });
  await v.close();
});

it("shows above a dialog what was said, and lets it be left there by keys", async () => {
  const v = await visit(`/p/${project}/phases`);
  await settled(v.page);
  await v.page.keyboard.press("Control+k");
  await v.page.getByRole("combobox", { name: "Search and commands" }).waitFor();
  await v.page.keyboard.type("copy the link");
  await v.page.keyboard.press("Enter");
  const dismiss = v.page.getByRole("button", { name: "Dismiss" });
  await dismiss.waitFor();
  await v.page.keyboard.press("?");
  await v.page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
  // What lies under a dialog does not take the mouse.
  await dismiss.hover({ timeout: 10_000 });
  await v.page.keyboard.press("t");
  await expect.poll(() => dismiss.evaluate((el) => el === document.activeElement)).toBe(true);
  await v.page.keyboard.press("Enter");
  await dismiss.waitFor({ state: "detached" });
  const inside = () => v.page.evaluate(() => document.activeElement?.closest("dialog") !== null);
  await expect.poll(inside).toBe(true);
  expect(v.troubles).toEqual([]);
  await v.close();
});
