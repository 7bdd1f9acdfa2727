import { beforeAll, expect, it } from "vitest";
import { base, look, project, settled, visit, withBrowser } from "./browser";

withBrowser();

interface Run {
  id: string;
  steps: { planned: number; cached: number };
}

/** The project's first run, which searched, and one that the cache answered. */
let searched = "";
let cached = "";

beforeAll(async () => {
  const got = await fetch(`${base}/api/v1/projects/${project}/pipeline-runs?limit=1000`);
  const { items } = (await got.json()) as { items: Run[] };
  searched = items.at(-1)?.id ?? "";
  cached = items.find((r) => r.steps.cached > 0)?.id ?? searched;
});

const at = (run: string, query = "") => `/p/${project}/pipelines/${run}${query}`;

it("shows the runs of the project", () => look("pipelines", `/p/${project}/pipelines`), 120_000);

it("shows the graph of a run", async () => {
  await look("pipeline", at(searched), (page) => page.waitForSelector(".react-flow__edge"));
}, 120_000);

it("shows when its steps waited and ran", async () => {
  await look("pipeline-timeline", at(searched, "?view=timeline"));
}, 120_000);

it("shows the tries of its search", async () => {
  await look("pipeline-tries", at(searched, "?view=tries"));
}, 120_000);

it("shows why a step was not run, and what it read and made", async () => {
  await look("pipeline-why", at(cached, "?view=timeline&step=prepare&part=why"));
  await look("pipeline-step", at(searched, "?view=timeline&step=prepare&part=details"));
}, 120_000);

it("leads from the list to a step's log by keyboard, and finds in it", async () => {
  const { page, troubles, close } = await visit(`/p/${project}/pipelines`);
  await settled(page);
  await page.getByRole("link", { name: searched }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("tab", { name: "Graph" }).focus();
  await page.keyboard.press("ArrowRight");
  await page.getByRole("button", { name: "evaluate, try 1" }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("searchbox", { name: "Search the log" }).fill("metric");
  await page.getByText(/^1 of /).waitFor();
  await page.waitForURL(/\?view=timeline&step=evaluate%401$/);
  expect(troubles).toEqual([]);
  await close();
});

it("says who may run again, or does it and follows", async () => {
  const { page, troubles, close } = await visit(at(searched, "?step=evaluate%401"));
  await settled(page);
  const again = page.getByRole("button", { name: "Run again from here" });
  if (!process.env["FAIRLEAD_SESSION"]) {
    expect(await again.getAttribute("aria-description")).toContain("fairlead ui");
    await close();
    return;
  }
  await again.click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("of try 1").waitFor();
  await dialog.getByRole("button", { name: "Run again" }).click();
  await page.getByText("again from evaluate@1").waitFor();
  await page.waitForURL((url) => !url.href.includes(searched));
  const state = page.getByRole("heading", { level: 1 }).locator("..");
  await state.getByText("succeeded").waitFor({ timeout: 240_000 });
  await page.getByRole("tab", { name: "Timeline" }).click();
  const row = page.getByRole("row", { name: /^evaluate, try 1/ });
  await row.getByText(/again from evaluate@1/).waitFor();
  await row.getByText("succeeded").waitFor();
  expect(troubles).toEqual([]);
  await close();
}, 300_000);
