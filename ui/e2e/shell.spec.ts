import { expect, it } from "vitest";
import { accessibility, base, project, settled, still, visit, withBrowser } from "./browser";

withBrowser();

/** The experiment and id of a run of the project. */
async function aRun(): Promise<{ experiment: string; run: string }> {
  const v = await visit(`/p/${project}/experiments/1`);
  const link = v.page.locator('[data-index] a[href*="/runs/"]').first();
  const href = (await link.getAttribute("href")) ?? "";
  await v.close();
  const [, experiment = "", run = ""] = /experiments\/(\w+)\/runs\/(\w+)/.exec(href) ?? [];
  return { experiment, run };
}

it("leads the links that MLflow's client prints to their pages", async () => {
  const { experiment, run } = await aRun();
  const v = await visit(`/p/${project}/#/experiments/${experiment}/runs/${run}`);
  await v.page.waitForURL(`**/p/${project}/experiments/${experiment}/runs/${run}`);
  await settled(v.page);
  for (const [printed, page] of [
    [`/p/${project}/#/experiments/${experiment}`, `/p/${project}/experiments/${experiment}`],
    ["/#/experiments/0", "/p/default/experiments/0"],
    [`/p/${project}/#/models/${project}`, `/p/${project}/models/${project}`],
    [`/p/${project}/#/models/${project}/versions/1`, `/p/${project}/models/${project}/versions/1`],
    [`/p/${project}/#/compare-runs?runs=["${run}"]&experiments=["1"]`, `/p/${project}/compare`],
  ] as const) {
    await v.page.goto("about:blank");
    await v.page.goto(base + printed);
    await v.page.waitForURL((url) => url.pathname === page);
    await settled(v.page);
  }
  expect(v.troubles).toEqual([]);
  await v.close();
});

it("begins each page at its top, with the keyboard at its name, and goes back to where one was", async () => {
  const v = await visit(`/p/${project}`);
  const { page } = v;
  await settled(page);
  const scroll = () => page.locator("#main").evaluate((main) => main.scrollTop);
  await page.locator("#main").evaluate((main) => main.scrollTo(0, 300));
  await expect.poll(scroll).toBe(300);
  await page
    .getByRole("link", { name: "All checks" })
    .evaluate((link: HTMLElement) => link.click());
  const name = page.getByRole("heading", { level: 1, name: "CRISP-DM" });
  await name.waitFor();
  await expect.poll(() => name.evaluate((h1) => h1 === document.activeElement)).toBe(true);
  await expect.poll(scroll).toBe(0);
  await page.goBack();
  await page.getByRole("heading", { level: 1, name: project }).waitFor();
  await expect.poll(scroll).toBe(300);
  expect(v.troubles).toEqual([]);
  await v.close();
});

it("skips to the content, and leads to rooms by two keys", async () => {
  const v = await visit(`/p/${project}/phases`);
  await settled(v.page);
  await v.page.keyboard.press("Tab");
  await v.page.keyboard.press("Enter");
  await expect.poll(() => v.page.evaluate(() => document.activeElement?.id)).toBe("main");
  await v.page.keyboard.press("g");
  await v.page.keyboard.press("a");
  await v.page.waitForURL(/\/audit/);
  await v.close();
});

it("opens menus and tips that are the browser's own, without trouble", async () => {
  const v = await visit(`/p/${project}`, "narrow", "dark");
  await settled(v.page);
  const theme = v.page.getByRole("button", { name: "Theme" });
  await theme.focus();
  await v.page.keyboard.press("ArrowDown");
  await v.page.getByRole("menu", { name: "Theme" }).waitFor();
  expect(await accessibility(v.page)).toEqual([]);
  await v.page.keyboard.press("l");
  await v.page.keyboard.press("Enter");
  await v.page.waitForSelector('[data-mantine-color-scheme="light"]');
  await expect.poll(() => theme.evaluate((button) => button === document.activeElement)).toBe(true);
  await v.page.getByRole("button", { name: /^You are/ }).click();
  await v.page.getByRole("dialog", { name: "You" }).waitFor();
  expect(await accessibility(v.page)).toEqual([]);
  await v.page.keyboard.press("Escape");
  const time = v.page.locator("time").first();
  await time.scrollIntoViewIfNeeded();
  await time.hover();
  await v.page.getByRole("tooltip").waitFor();
  expect(await v.page.getByRole("tooltip").textContent()).toMatch(/UTC/);
  await v.page.keyboard.press("Escape");
  await v.page.getByRole("tooltip").waitFor({ state: "hidden" });
  expect(v.troubles).toEqual([]);
  await v.close();
});

it("says that the server does not answer, and goes on when it does", async () => {
  const v = await visit(`/p/${project}`);
  const { page } = v;
  await settled(page);
  await page.route("**/api/**", (route) => route.abort("connectionrefused"));
  await page.getByRole("link", { name: "Audit", exact: true }).click();
  await page.getByText("The server does not answer.").first().waitFor();
  await page.unroute("**/api/**");
  await page.getByText("The server does not answer.").first().waitFor({ state: "detached" });
  await v.close();
});

it("keeps what is in sight when the server fails now and then, and says so if it goes on", async () => {
  const v = await visit(`/p/${project}/runs`);
  const { page } = v;
  await settled(page);
  await still(page);
  await page.evaluate(() => {
    const look = () => {
      if (document.querySelector('#main [role="alert"], #main [aria-busy="true"]'))
        document.body.dataset["blinked"] = "";
    };
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true });
  });
  const rows = await page.getByRole("row").count();
  let [every, asked, failed] = [3, 0, 0];
  await page.route("**/api/v1/**", (route) => {
    if (++asked % every > 0) return route.continue();
    failed++;
    return route.fulfill({ status: 503, body: "{}" });
  });
  await expect.poll(() => failed, { timeout: 20_000 }).toBeGreaterThan(4);
  expect(await page.getByText("Not refreshed").count()).toBe(0);
  every = 1;
  await page.getByText("Not refreshed").waitFor();
  expect(await page.getByRole("row").count()).toBe(rows);
  expect(await accessibility(page)).toEqual([]);
  every = 1e9;
  await page.getByText("Not refreshed").waitFor({ state: "detached" });
  expect(await page.evaluate(() => document.body.dataset["blinked"])).toBeUndefined();
  await v.close();
});

it("says in the page that a session has ended, and asks anew after it", async () => {
  const v = await visit(`/p/${project}/audit`);
  const { page } = v;
  await settled(page);
  await page.route("**/api/**", (route) =>
    route.fulfill({
      status: 401,
      contentType: "application/problem+json",
      body: JSON.stringify({ status: 401, code: "unauthenticated", detail: "sign in" }),
    }),
  );
  await page.getByRole("link", { name: "Models", exact: true }).click();
  const said = page.getByText("You are signed out", { exact: true });
  await said.waitFor();
  await expect.poll(() => said.count()).toBe(1);
  await page.getByText("Sign in, and try again.").first().waitFor();
  await page.unroute("**/api/**");
  await page.evaluate(() => dispatchEvent(new Event("visibilitychange"))); // one comes back
  await said.waitFor({ state: "detached" });
  await settled(page);
  await v.close();
});

it.each([
  "",
  "/data",
  "/experiments",
  "/pipelines",
  "/models",
  "/endpoints",
  "/monitoring",
  "/phases",
  "/audit",
])("fits %s into 320 pixels, as at 400 % of 1280", async (path) => {
  const v = await visit(`/p/${project}${path}`, "narrow");
  await v.page.setViewportSize({ width: 320, height: 640 });
  await settled(v.page);
  const over = () =>
    v.page.evaluate(() => {
      const main = document.getElementById("main");
      return (main?.scrollWidth ?? 0) - (main?.clientWidth ?? 0);
    });
  await expect.poll(over).toBe(0);
  await v.close();
});
