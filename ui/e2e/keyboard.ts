import type { Page } from "playwright-core";

/**
 * What on a page only the mouse can do, as lines: what is visible and reacts to presses, by
 * its role, its handlers or the pointer's shape, and is no stop of the Tab key, nor inside
 * one, nor the label of one, nor a part of something that has one stop for all its parts;
 * and tips that no stop shows.
 */
export async function byMouseAlone(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const parts = "grid,tree,menu,menubar,tablist,listbox,radiogroup,toolbar".split(",");
    const composites = parts.map((role) => `[role=${role}]`).join();
    const roles = "button,link,tab,option,checkbox,radio,switch,slider,combobox,textbox,treeitem";
    const controls = `a, button, input, select, textarea, summary, [role^=menuitem],
      ${roles
        .split(",")
        .map((role) => `[role=${role}]`)
        .join()}`;
    const handlers = ["onClick", "onMouseDown"];
    const shapes = ["auto", "default", "text", "not-allowed", "help"];
    const stop = (el: Element) =>
      (el instanceof HTMLElement || el instanceof SVGElement) &&
      el.tabIndex >= 0 &&
      !el.matches(":disabled") &&
      el.checkVisibility({ visibilityProperty: true });
    const has = (el: Element | null | undefined): boolean =>
      el != null &&
      (stop(el) ||
        [...el.querySelectorAll("*")].some(stop) ||
        has(el.querySelector("label")?.control));
    // React keeps what it was given on the elements, under a name of the document's own.
    const root = document.querySelector("h1");
    const props = Object.keys(root ?? {}).find((key) => key.startsWith("__reactProps"));
    if (!props) return ["the handlers of the page cannot be read"];
    const given = (el: Element, names: string[]) => {
      const of = (el as unknown as Record<string, Record<string, unknown> | undefined>)[props];
      return of !== undefined && names.some((name) => of[name] !== undefined);
    };
    // A box that can have the focus so that it scrolls does nothing for what is in it.
    const inside = (el: Element): boolean =>
      (stop(el) && (el.matches(controls) || given(el, ["onKeyDown"]))) ||
      (el.parentElement !== null && inside(el.parentElement));
    const shaped = (el: Element) => {
      const of = (e: Element | null) => e && getComputedStyle(e).cursor;
      const own = of(el) ?? "auto";
      return !shapes.includes(own) && own !== of(el.parentElement);
    };
    const reacts = (el: Element) =>
      el.matches(controls) || given(el, handlers) || (shaped(el) && !has(el));
    return [...document.querySelectorAll("body *")]
      .filter((el) => {
        const { width, height } = el.getBoundingClientRect();
        if (width === 0 || height === 0 || !el.checkVisibility()) return false;
        // The browser, and the graph, listen to more than they do something with.
        if (el.matches("dialog, [class^=react-flow__]")) return false;
        if (el.closest("[inert], :disabled, [aria-disabled=true]")) return false;
        // The keyboard reads the tip of a cell at the head of its row.
        if (el.matches("[data-tip]"))
          return !has(el) && !inside(el) && !has(el.closest("tr")?.querySelector("[data-tip]"));
        if (!reacts(el)) return false;
        const list = el.closest("[role=listbox]")?.id;
        const cell = el.closest("[role=gridcell]")?.id; // which a row owns that it stands beside
        return !(
          inside(el) ||
          has(el.closest(composites)) ||
          has(el.querySelector(composites)) || // what listens for all that is in one
          (cell && has(document.querySelector(`[aria-owns~="${cell}"]`)?.closest(composites))) ||
          has(el.closest("label")?.control) ||
          (list && has(document.querySelector(`[aria-controls="${list}"]`)))
        );
      })
      .map((el) => el.outerHTML.slice(0, 160));
  });
}

/** Of the first 40 stops of the Tab key, those that look the same with the focus as without. */
export async function unseenFocus(page: Page): Promise<string[]> {
  await page.keyboard.press("Tab"); // the focus is one that the keyboard moves
  return page.evaluate(() => {
    const names = ["outline", "outlineOffset", "boxShadow", "border"] as const;
    const look = (el: Element) => {
      for (const change of el.getAnimations()) if (change instanceof CSSTransition) change.finish();
      const style = getComputedStyle(el);
      const seen = style.outlineStyle === "none" ? names.slice(2) : names;
      return seen.map((name) => style[name]).join(" ");
    };
    // A ring may be around it, or around what stands for it beside it.
    const around = (el: Element) =>
      [el, el.parentElement, el.parentElement?.parentElement, ...(el.parentElement?.children ?? [])]
        .filter((e) => e != null)
        .map(look)
        .join();
    const asks = [...document.querySelectorAll("dialog[open]")].at(-1);
    const stops = [...(asks ?? document.body).querySelectorAll<HTMLElement>("*")].filter(
      (el) => el.tabIndex >= 0 && el.checkVisibility() && !el.matches(":disabled"),
    );
    const unseen = stops.slice(0, 40).filter((el) => {
      if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
      const before = around(el);
      el.focus();
      return document.activeElement === el && around(el) === before;
    });
    return unseen.map((el) => el.outerHTML.slice(0, 160));
  });
}
