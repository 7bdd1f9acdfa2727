import { expect, it } from "vitest";
import { base, look, project, settled, visit, withBrowser } from "./browser";

withBrowser();

const at = `/p/${project}`;
/** Waits for the first row of the table of runs. */
const filled = (page: Parameters<typeof settled>[0]) =>
  page.locator('[data-index] a[href*="/runs/"]').first().waitFor();

it("shows the experiments", () => look("experiments", `${at}/experiments`), 60_000);
it("shows the trash", () => look("trash", `${at}/experiments/trash`), 60_000);
it("shows the runs of an experiment", () => look("runs", `${at}/experiments/1`, filled), 60_000);
it("shows the runs of all experiments", () => look("all-runs", `${at}/runs`, filled), 60_000);

it("leads from the table to a run", async () => {
  const v = await visit(`${at}/experiments/1`);
  await filled(v.page);
  await v.page.locator('[data-index] a[href*="/runs/"]').first().click();
  await v.page.waitForURL(/\/experiments\/1\/runs\/\w+/);
  await settled(v.page);
  expect(v.troubles).toEqual([]);
  await v.close();
});

it("filters, orders, groups, opens, tags, deletes and takes it back", async () => {
  const v = await visit(`${at}/experiments/1`);
  const { page } = v;
  page.setDefaultTimeout(20_000);
  await filled(page);
  // The pinned cells stand beside the grid, and its rows own them.
  const grid = page.locator('[data-scroll-restoration-id="grid"]');
  const menu = async (head: string, item: string) => {
    await grid.getByRole("columnheader", { name: head }).click();
    await page
      .getByRole("menu", { name: `Column ${head}` })
      .getByText(item)
      .click();
  };
  const parents = () => grid.getByRole("button", { name: /^Rows below/ });

  // A filter is completed while it is typed, and says where it is wrong.
  const filter = page.getByRole("combobox", { name: "Filter the runs" });
  await filter.pressSequentially("metrics.validation.ma");
  await page.getByRole("option", { name: /^metrics.validation.mae/ }).waitFor();
  await page.waitForFunction(
    () => document.querySelectorAll('[role="option"]').length === 1, // none for what stood before
  );
  await page.keyboard.press("ArrowDown");
  await page.getByRole("option", { selected: true }).waitFor();
  await page.keyboard.press("Enter");
  await filter.pressSequentially("< x");
  await page.keyboard.press("Enter");
  await page
    .getByText(/Expected numeric value/)
    .first()
    .waitFor();
  await filter.press("Backspace");
  await filter.pressSequentially("1000");
  await page.keyboard.press("Enter");
  await expect.poll(() => parents().count()).toBe(0);
  await filled(page);

  await menu("validation.mae", "Sort up");
  await page.waitForURL(/sort=metrics\.validation\.mae/);
  await grid.locator('[role="columnheader"][aria-sort="ascending"]').waitFor();
  await menu("validation.mae", "Pin at the left");
  await page.waitForURL(/pin=/);
  await page.waitForFunction(() => {
    const cells = [...document.querySelectorAll('[role="gridcell"][aria-colindex="3"]')];
    const values = cells.map((c) => Number(c.textContent));
    return values.length > 5 && values.every((x, i) => i === 0 || (values[i - 1] ?? 0) <= x);
  });

  await menu("algorithm", "Group by algorithm");
  await grid.getByText("mean").first().waitFor();
  await parents().first().click();
  await filled(page);
  await page.getByRole("button", { name: "No longer group by algorithm" }).click();

  // The best of the runs below stands in a parent's row, and they are opened.
  await page.getByRole("button", { name: "Clear the filter" }).first().click();
  await grid.getByText("best").first().waitFor();
  const boxes = grid.getByRole("checkbox", { name: /^Select / });
  const before = await boxes.count();
  await parents().first().click();
  await page.waitForFunction(
    (n) => document.querySelectorAll('[role="gridcell"] input').length > n,
    before,
  );
  const child = await boxes.nth(1).getAttribute("aria-label");
  const box = grid.getByRole("checkbox", { name: child ?? "", exact: true });
  await boxes.nth(1).click();
  await boxes.nth(2).click({ modifiers: ["Shift"] });
  const bar = page.getByRole("region", { name: "Selected runs" });
  await bar.getByText("2 runs selected").waitFor();
  await bar.getByRole("button", { name: "Tag…" }).click();
  await page.getByRole("textbox", { name: "Set the tag" }).fill("team");
  await page.getByRole("textbox", { name: "to", exact: true }).fill("city");
  await page.getByRole("button", { name: "Tag 2 runs" }).click();
  await page.getByText("2 runs tagged").waitFor();

  await box.click();
  await boxes.nth(2).click({ modifiers: ["Shift"] });
  await bar.getByRole("button", { name: "Delete…" }).click();
  await page.getByRole("button", { name: "Move 2 runs to the trash" }).click();
  await page.getByText("2 runs moved to the trash").waitFor();
  await box.waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Undo" }).click();
  await page.getByText("2 runs restored").waitFor();

  // One more goes to the trash, and is taken out there.
  await filter.fill("tags.team = 'city'");
  await page.keyboard.press("Enter");
  await box.click();
  await bar.getByRole("button", { name: "Delete", exact: true }).click();
  await page.getByText("1 run moved to the trash").waitFor();
  await page.goto(`${base}${at}/experiments/trash`);
  const name = (child ?? "").replace("Select ", "");
  await page.getByRole("button", { name: `Restore ${name}` }).click();
  await page.getByText("1 run restored").waitFor();
  await page.getByRole("button", { name: `Restore ${name}` }).waitFor({ state: "detached" });
  await page.goBack();
  await boxes.nth(1).waitFor();
  await page.getByRole("checkbox", { name: "Selected" }).click();
  await bar.getByRole("button", { name: "Tag…" }).click();
  await page.getByRole("textbox", { name: "Remove the tag" }).fill("team");
  await page.getByRole("button", { name: /^Tag 2 runs/ }).click();
  await page.getByText("No run is found by this filter").waitFor();
  expect(v.troubles.filter((t) => !t.includes("400"))).toEqual([]);
  await v.close();
}, 120_000);
