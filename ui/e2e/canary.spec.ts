import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { base, look, project, settled, visit, withBrowser, type Size } from "./browser";
import {
  begin,
  call,
  day,
  driveTo,
  history,
  hour,
  inSight,
  name,
  now,
  page,
  token,
} from "./traffic";

// A canary that goes on while one looks. The story moves it, so it has a project of its own:
// TestUI_ACanaryInABrowser starts one, and says so.
async function alwaysInSight() {
  const { rollout } = await history();
  for (const size of ["wide", "narrow"] as Size[]) {
    const v = await visit(page, size);
    for (const path of [
      page,
      `${page}?tab=rollouts`,
      `${page}?tab=try`,
      `/p/${project}/rollouts/${rollout.id}`,
    ]) {
      await v.page.goto(base + path);
      await settled(v.page);
      await v.page.getByText(/is live/).waitFor();
      await inSight(v.page);
    }
    await v.close();
  }
}

describe.skipIf(token === "")("a canary that goes on", () => {
  withBrowser();

  it("shows its evidence and its steps as they come, without a reload", async () => {
    await alwaysInSight();
    const v = await visit(page);
    await settled(v.page);
    const steps = v.page.getByRole("list", { name: "Steps of the rollout" });
    await steps.getByText(/^10 %/).waitFor();
    await v.page.getByRole("button", { name: "Promote version 2" }).waitFor();
    await begin();
    for (const [i, next] of ["50 %", "100 %"].entries()) {
      await day();
      const { comparison } = await history();
      const driven = driveTo(Date.parse(comparison?.next_look ?? ""));
      while ((await history()).findings.length <= i);
      const began = performance.now();
      await steps
        .getByRole("listitem")
        .filter({ hasText: `${next}now` })
        .waitFor();
      console.log(
        `the page shows ${next} ${Math.round(performance.now() - began)} ms after the API`,
      );
      await driven;
    }
    expect(await steps.innerText()).toMatch(/24 labels, 20 were needed/);
    expect(v.troubles).toEqual([]);
    await v.close();
    await look("canary", page);
  }, 180_000);

  it("counts requests and failures as they come, in words", async () => {
    const v = await visit(`${page}?clock=wall&last=1h`);
    await settled(v.page);
    const refused = v.page.locator("dt", { hasText: "Refused" }).locator("..");
    const before = Number(/Refused(\d+)/.exec((await refused.textContent()) ?? "")?.[1]);
    await call("POST", `/p/${project}/v2/models/${name}/infer`, { inputs: [] }).catch(() => null);
    const began = performance.now();
    await refused.getByText(String(before + 1), { exact: true }).waitFor();
    console.log(`the page counts it after ${Math.round(performance.now() - began)} ms`);
    const words = v.page.getByRole("group", { name: "What went wrong" });
    await words.getByText("the request has no inputs").waitFor();
    expect(v.troubles).toEqual([]);
    await v.close();
  }, 60_000);

  it("prints calls that do what they say", async () => {
    const v = await visit(`${page}?tab=try`);
    await settled(v.page);
    await v.page.getByRole("textbox", { name: "x, row 1" }).fill("4");
    const python = process.env["FAIRLEAD_TEST_PYTHON"];
    const triton = process.env["FAIRLEAD_TEST_TRITON"];
    for (const [tab, program, option] of [
      ["curl", "sh", "-c"],
      ["CLI", "sh", "-c"],
      ["Python", python, "-c"],
      ["Python, tritonclient", triton, "-c"],
    ] as const) {
      await v.page.getByRole("tab", { name: tab, exact: true }).click();
      const code = await v.page.getByLabel(`${tab} call`, { exact: true }).innerText();
      if (program === undefined) continue;
      const said = await promisify(execFile)(program, [option, code]);
      expect(said.stdout, code).toMatch(/\b8(\.0?)?\b/); // the model doubles x
    }
    await v.close();
  }, 60_000);

  it("asks a human, and tells who may not decide why", async () => {
    const v = await visit(page);
    await settled(v.page);
    await driveTo(now + 4 * 24 * hour);
    await v.page.getByText(/It asks a human:/).waitFor();
    await alwaysInSight();
    await v.page.context().clearCookies();
    await v.page.reload();
    await settled(v.page);
    await v.page.getByText(/owner of the server/).waitFor();
    for (const button of ["Roll back", "Promote version 2"]) {
      expect(await v.page.getByRole("button", { name: button }).isDisabled()).toBe(true);
    }
    await v.close();
    await look("canary-asks", page);
  }, 180_000);

  it("is promoted by the keyboard, and rolled back", async () => {
    const v = await visit(page);
    await settled(v.page);
    await v.page.getByRole("button", { name: "Promote version 2" }).focus();
    await v.page.keyboard.press("Enter");
    const dialog = v.page.getByRole("dialog");
    await dialog.getByText("Version 2 becomes live in place of version 1").waitFor();
    await v.page.keyboard.type("it has done well");
    await v.page.keyboard.press("Tab");
    await v.page.keyboard.press("Tab");
    await v.page.keyboard.press("Enter");
    await dialog.getByText(/Done: version 2 is live/).waitFor();
    await v.page.keyboard.press("Escape");
    await v.page.getByText("Promote: no rollout is under way").waitFor();
    await alwaysInSight();
    await v.page.getByRole("button", { name: "Roll back" }).click();
    await dialog.getByRole("textbox", { name: /Why/ }).fill("it has not");
    await dialog.getByRole("button", { name: "Go back to version 1" }).click();
    await dialog.getByText(/Done: version 1 is live/).waitFor();
    expect(v.troubles).toEqual([]);
    await v.close();
  }, 180_000);
});
