import { expect, it } from "vitest";
import { base, look, project, session, settled, visit, withBrowser } from "./browser";

withBrowser();

interface Items<T> {
  items: T[];
}
async function ask<T>(path: string): Promise<T> {
  const { name, value } = session;
  const answer = await fetch(`${base}/api/v1/projects/${project}${path}`, {
    headers: value ? { cookie: `${name}=${value}` } : {},
  });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return (await answer.json()) as T;
}

const endpoint = `/p/${project}/monitoring/bikes/production`;

it("shows how each endpoint stands", () => look("monitoring", `/p/${project}/monitoring`), 90_000);

it("shows the history of an endpoint", () => look("monitoring-endpoint", endpoint), 90_000);

it("shows the incidents", () => look("incidents", `/p/${project}/incidents`), 90_000);

it("shows what the loop did about an incident", async () => {
  const all = await ask<Items<{ id: string; kind: string; cases: unknown[] }>>("/incidents");
  const decay = all.items.find((i) => i.kind === "decay" && i.cases.length > 1) ?? all.items[0];
  const drift = all.items.find((i) => i.kind === "drift");
  await look("incident-decay", `/p/${project}/incidents/${decay?.id}`);
  await look("incident-drift", `/p/${project}/incidents/${drift?.id}`);
}, 180_000);

it("shows the cases", () => look("cases", `/p/${project}/cases`), 90_000);

it("shows a case step by step", async () => {
  const all = await ask<Items<{ id: string; outcome?: string; cause: string }>>("/cases");
  const one = all.items.find((c) => c.outcome === "promoted" && c.cause === "incident");
  await look("case", `/p/${project}/cases/${one?.id}`);
}, 90_000);

it("leads from a red cell to the distribution behind it, by keyboard", async () => {
  const v = await visit(endpoint);
  await settled(v.page);
  const grid = v.page.getByRole("grid");
  await grid.focus();
  await v.page.keyboard.press("Home");
  await v.page.keyboard.press("ArrowRight");
  const cell = v.page.getByRole("gridcell");
  await expect.poll(() => cell.textContent()).toMatch(/version 1: PSI/);
  await v.page.keyboard.press("Enter");
  await v.page.getByRole("region", { name: /^Distribution of/ }).waitFor();
  await v.page.waitForURL(/feature=/);
  expect(v.troubles).toEqual([]);
  await v.close();
}, 60_000);

it("zooms by dragging over the chart, and back", async () => {
  const v = await visit(endpoint);
  await settled(v.page);
  const grid = v.page.getByRole("grid");
  await grid.scrollIntoViewIfNeeded();
  const box = await grid.boundingBox();
  if (!box) throw new Error("the map has no place");
  const title = v.page.getByText(/^\d+ windows?, \d+ red$/);
  const before = await title.textContent();
  const y = box.y + box.height / 2;
  await v.page.mouse.move(box.x + box.width * 0.4, y);
  await v.page.mouse.down();
  await v.page.mouse.move(box.x + box.width * 0.5, y, { steps: 4 });
  await v.page.mouse.move(box.x + box.width * 0.6, y, { steps: 4 });
  await v.page.mouse.up();
  await v.page.waitForURL(/from=.*to=/);
  await v.page.waitForFunction((old) => !document.body.textContent.includes(old ?? "none"), before);
  const search = new URL(v.page.url()).searchParams;
  expect(search.get("feature")).toBeNull(); // a drag is no click
  // The same by keyboard, and all again.
  const drag = v.page.url();
  await grid.focus();
  await v.page.keyboard.press("+");
  await v.page.waitForFunction((old) => location.href !== old, drag);
  await v.page.getByText("All", { exact: true }).click();
  await v.page.getByText(before ?? "").waitFor();
  expect(v.troubles).toEqual([]);
  await v.close();
}, 60_000);

it("shows the distribution of a chosen cell", async () => {
  interface History {
    stretches: { from: string }[];
    features: { name: string; red: boolean[] }[];
  }
  const h = await ask<History>("/endpoints/bikes/drift");
  const worst = h.features[0];
  const at = h.stretches[worst?.red.indexOf(true) ?? 0]?.from ?? "";
  const query = new URLSearchParams({ feature: worst?.name ?? "", at });
  await look("distribution", `${endpoint}?${query.toString()}`, async (page) => {
    const box = page.getByRole("region", { name: /^Distribution of/ });
    await box.scrollIntoViewIfNeeded();
  });
}, 90_000);
