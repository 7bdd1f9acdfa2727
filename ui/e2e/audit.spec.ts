import { expect, it } from "vitest";
import { look, project, settled, visit, withBrowser } from "./browser";

withBrowser();

it(
  "shows the audit",
  () =>
    look("audit", `/p/${project}/audit?seq=1`, (page) =>
      page.getByRole("button", { name: "Download the proof" }).waitFor(),
    ),
  60_000,
);

it("verifies the proofs of what is in sight, and keeps the filter in the address", async () => {
  const v = await visit(`/p/${project}/audit`);
  await settled(v.page);
  await v.page.getByText("Verified").first().waitFor();
  expect(await v.page.getByText("Broken").count()).toBe(0);
  await v.page.getByLabel("By").fill("user:owner");
  await v.page.getByLabel("By").press("Enter");
  await v.page.waitForURL(/actor=user/);
  await v.page.getByText("by user:owner").first().waitFor();
  await v.page.waitForFunction(() => !document.body.textContent?.includes("by system:"));
  expect(v.troubles).toEqual([]);
  await v.close();
});

it("opens an event by the keyboard, with all steps of its proof", async () => {
  const v = await visit(`/p/${project}/audit`);
  await settled(v.page);
  const toggle = v.page.getByRole("button", { name: /^Details of event/ }).first();
  await toggle.focus();
  await v.page.keyboard.press("Enter");
  await v.page.getByRole("button", { name: "Download the proof" }).waitFor();
  const steps = v.page.getByRole("img", { name: "holds", exact: true });
  await expect.poll(() => steps.count()).toBe(5);
  await v.page.waitForURL(/seq=/);
  const [download] = await Promise.all([
    v.page.waitForEvent("download"),
    v.page.getByRole("button", { name: "Download the proof" }).click(),
  ]);
  expect(download.suggestedFilename()).toMatch(/^event-\d+-proof\.json$/);
  await v.close();
});

it("has the server check the whole ledger", async () => {
  const v = await visit(`/p/${project}/audit`);
  await settled(v.page);
  await v.page.getByRole("button", { name: "Verify the whole ledger" }).click();
  await v.page.getByText(/The server has checked/).waitFor();
  await v.close();
});
