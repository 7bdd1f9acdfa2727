import { describe, expect, it } from "vitest";
import { look, project, settled, visit, withBrowser, type Visit } from "./browser";
import { api, begin, call, day, driveTo, history, inSight, page, resume, token } from "./traffic";

// Rollouts that do not end well, and a server that is started anew while one looks. The
// stage releases versions, and stops and starts the server.
const stage = process.env["FAIRLEAD_STAGE"] ?? "";

async function act(what: "worse" | "again" | "shadow" | "stop" | "start") {
  const done = await fetch(`${stage}/${what}`);
  if (!done.ok) throw new Error(`the stage cannot ${what}: ${done.status}`);
}

/** Sends days of requests and lets their labels be due, until the rollout stands so. */
async function daysUntil(state: string, wrong: number, noon?: number) {
  for (let days = 0; (await history()).rollout.state !== state; days++) {
    expect(days, "days").toBeLessThan(12);
    await day(wrong, noon);
    const { comparison, findings } = await history();
    await driveTo(Date.parse(comparison?.next_look ?? ""));
    await expect
      .poll(async () => (await history()).findings.length, { timeout: 20_000 })
      .toBeGreaterThan(findings.length);
  }
}

/** Decides by the button in the bar, and returns what the dialog then says. */
async function decide(v: Visit, button: string, answer: string, why: string) {
  await v.page.getByRole("button", { name: button, exact: true }).click();
  const dialog = v.page.getByRole("dialog");
  await dialog.getByRole("textbox", { name: /Why/ }).fill(why);
  await dialog.getByRole("button", { name: answer }).click();
  return dialog;
}

describe.skipIf(stage === "" || token === "")("rollouts that do not end well", () => {
  withBrowser();

  it("tells of a canary that rolls itself back why, at which step, and by which numbers", async () => {
    await act("worse");
    await resume();
    await begin();
    const v = await visit(page);
    await settled(v.page);
    await daysUntil("finished", 0.1);
    const said = v.page.getByText(
      /^Rolled back at 10 %, by itself: version 3 is worse than version 1/,
    );
    await said.waitFor();
    expect(await said.innerText()).toMatch(
      /wealth [\d.]+ after \d+ blocks, loss [\d.]+ against [\d.]+ on \d+ labels \(mae, worse by more than 10%, alpha 0.05\)/,
    );
    const steps = v.page.getByRole("list", { name: "Steps of the rollout" });
    await steps.getByRole("listitem").filter({ hasText: "10 %ended here" }).waitFor();
    expect(await steps.innerText()).toMatch(/50 %\s+not reached/);
    await v.page.getByText("Promote: no rollout is under way").waitFor();
    expect(v.troubles).toEqual([]);
    await v.close();
    await look("canary-worse", `/p/${project}/rollouts/${(await history()).rollout.id}`);
  }, 90_000);

  it("outlives its server: what is there stays, nothing is lost, and it goes on by itself", async () => {
    await act("again");
    const v = await visit(page);
    const { page: at } = v;
    await settled(at);
    await at.getByText(/version 3 is its canary at 10 %/).waitFor();
    const audit = await visit(`/p/${project}/audit`);
    await settled(audit.page);
    for (const p of [at, audit.page]) await p.evaluate(() => (document.title = "not loaded anew"));
    const mark = (p: typeof at) => p.locator("header [role=status]");
    await expect.poll(() => mark(at).innerText()).toBe("Live");

    const before = await at.locator("main").innerText();
    await act("stop");
    await expect.poll(() => mark(at).innerText()).toMatch(/^Offline\s*since \d\d:\d\d$/);
    const dialog = await decide(v, "Roll back", "End the rollout", "the callers complain");
    await dialog.getByText(/press the button again/).waitFor();
    expect(await dialog.getByRole("textbox", { name: /Why/ }).inputValue()).toBe(
      "the callers complain",
    );
    expect(await at.locator("main").innerText()).toContain(before.slice(0, 200));
    await audit.page.getByRole("link", { name: "Pipelines", exact: true }).click();
    await audit.page.getByRole("alert").first().waitFor();

    await act("start");
    await call("POST", `${api}/experiments`, { name: "made in between" });
    await expect.poll(() => mark(at).innerText(), { timeout: 15_000 }).toBe("Live");
    await dialog.getByRole("button", { name: "End the rollout" }).click();
    await dialog.getByText(/Done: version 1 is live/).waitFor();
    await at.keyboard.press("Escape");
    await at.getByText(/^Rolled back at 10 %, by .+: the callers complain/).waitFor();
    await audit.page.getByRole("link", { name: "Audit", exact: true }).click();
    await audit.page
      .getByText(/made in between/)
      .first()
      .waitFor();
    await audit.page.goBack();
    await audit.page.getByRole("heading", { level: 1, name: "Pipelines" }).waitFor();
    await v.close();
    await audit.close();
  }, 90_000);

  it("shows what a shadow answers differently, fails at and takes, and asks", async () => {
    await act("shadow");
    await resume();
    const v = await visit(page);
    await settled(v.page);
    await v.page.getByText(/version 4 is its shadow/).waitFor();
    await begin();
    await daysUntil("waiting_human", 0.1, 13);
    await v.page.getByText(/It asks a human: the shadow has been compared on/).waitFor();
    const steps = v.page.getByRole("list", { name: "Steps of the rollout" });
    expect(await steps.innerText()).toMatch(/loss \d+ % (above|below) live over \d+ labels/);
    expect(await steps.innerText()).toMatch(/1 of \d+ requests not answered/);
    const wrong = v.page.getByRole("group", { name: "What went wrong" });
    await wrong.getByText(/thirteen is unlucky/).waitFor();
    const latency = v.page.getByRole("figure", { name: /Latency/ });
    await expect.poll(() => latency.innerText()).toMatch(/version 4/);
    expect(v.troubles).toEqual([]);
    await v.close();
    await look("shadow", page);
  }, 90_000);

  it("is promoted all the same, and rolled back by the button that stays in sight", async () => {
    const v = await visit(page, "narrow");
    await settled(v.page);
    const done = await decide(v, "Promote version 4", "Promote version 4", "worth the time");
    await done.getByText(/Done: version 4 is live/).waitFor();
    await v.page.keyboard.press("Escape");
    await inSight(v.page);
    const back = await decide(v, "Roll back", "Go back to version 1", "it is not");
    await back.getByText(/Done: version 1 is live/).waitFor();
    await v.page.keyboard.press("Escape");
    await v.page.getByText("Version 1 is live again: it is not").waitFor();
    expect(v.troubles).toEqual([]);
    await v.close();
  }, 60_000);
});
