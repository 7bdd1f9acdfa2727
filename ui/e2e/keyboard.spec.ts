import { expect, it } from "vitest";
import { base, project, settled, visit, withBrowser } from "./browser";
import { byMouseAlone, unseenFocus } from "./keyboard";

withBrowser();

it("finds what only the mouse can do, and a focus that is not seen", async () => {
  const { page, close } = await visit(`/p/${project}/phases`);
  await settled(page);
  expect(await byMouseAlone(page)).toEqual([]);
  expect(await unseenFocus(page)).toEqual([]);
  await page.evaluate(() => {
    document.querySelector("main")?.insertAdjacentHTML(
      "afterbegin",
      `<div id="pressed">Press</div><label>Fine <input type="checkbox"></label>
       <div tabindex="0" role="region" aria-label="Scrolls"><span id="told" data-tip="So">?</span></div>
       <button id="unseen">Where am I?</button>`,
    );
    // The policy allows no styles in the text of a page.
    for (const el of document.querySelectorAll<HTMLElement>("#pressed, label"))
      el.style.cursor = "pointer";
    for (const el of document.querySelectorAll<HTMLElement>("#unseen")) el.style.outline = "none";
  });
  const ids = (found: string[]) => found.map((line) => /id="(\w+)"/.exec(line)?.[1]);
  expect(ids(await byMouseAlone(page))).toEqual(["pressed", "told"]);
  expect(ids(await unseenFocus(page))).toEqual(["unseen"]);
  await close();
});

it("keeps the keyboard's place when what it was at goes, is busy, or leads to another page", async () => {
  const { page, troubles, close } = await visit(`/p/${project}/audit`, "narrow");
  await settled(page);
  const at = (name: string) =>
    expect
      .poll(() =>
        page.evaluate(() => {
          const el = document.activeElement as HTMLInputElement | null;
          return el?.ariaLabel ?? el?.labels?.[0]?.textContent ?? el?.textContent;
        }),
      )
      .toBe(name);
  const press = async (name: string) => {
    await page.keyboard.press("Tab"); // the focus is one that the keyboard moves
    await page.getByRole("button", { name }).focus();
    await page.keyboard.press("Enter");
  };
  await page.getByRole("textbox", { name: "About" }).focus();
  await page.keyboard.type("model/*");
  await page.keyboard.press("Enter");
  await page.waitForURL(/subject=/);
  await at("About");
  await press("Show all"); // which there is nothing to do for any more
  await page.waitForURL((url) => !url.search.includes("subject"));
  await at("Wall");
  await press("Verify the whole ledger"); // and waits for it, disabled
  await page.getByText("signed checkpoint").waitFor();
  await at("Verify the whole ledger");
  await press("Open the navigation");
  await at("Home");
  await page.keyboard.press("Escape");
  await at("Open the navigation");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/data$/);
  await at("Data");
  expect(await page.evaluate(() => document.activeElement?.tagName)).toBe("H1");
  expect(troubles).toEqual([]);
  await close();
});

it("tells what is chosen, and draws bars, where the reader's own colours hold", async () => {
  const { page, close } = await visit(`/p/${project}/endpoints/bikes/production?last=8760h`);
  await page.emulateMedia({ forcedColors: "active" });
  await settled(page);
  const outline = (name: string) =>
    page.getByRole("tab", { name }).evaluate((el) => getComputedStyle(el).outlineStyle);
  expect(await outline("Overview")).toBe("solid");
  expect(await outline("Rollouts")).toBe("none");
  await page.getByRole("tab", { name: "Overview" }).focus();
  await page.keyboard.press("ArrowRight");
  expect(await unseenFocus(page)).toEqual([]);
  await page.goto(`${base}/p/${project}/pipelines`);
  await page.getByRole("link", { name: /^pr_/ }).last().click();
  await page.getByRole("tab", { name: "Timeline" }).click();
  const bar = page
    .getByRole("region", { name: "Timeline of the steps" })
    .locator("[data-tip] > :last-child");
  const ground = await bar.last().evaluate((el) => getComputedStyle(el).backgroundColor);
  expect(ground).not.toBe(
    await page.evaluate(() => getComputedStyle(document.body).backgroundColor),
  );
  await close();
});
