import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";
import { afterAll, beforeAll, expect } from "vitest";
import { byMouseAlone, unseenFocus } from "./keyboard";

/** The server whose pages are looked at; with a project that the demo has filled. */
export const base = process.env["FAIRLEAD_URL"] ?? "http://127.0.0.1:4747";
/** The cookie of a session, which is of one port. */
export const session = {
  name: ["fairlead_session", new URL(base).port].filter(Boolean).join("_"),
  value: process.env["FAIRLEAD_SESSION"],
};
export const project = process.env["FAIRLEAD_PROJECT"] ?? "bikes";

/** The widths at which every page is looked at, in CSS pixels. */
export const sizes = { wide: { width: 1440, height: 900 }, narrow: { width: 390, height: 844 } };
export type Size = keyof typeof sizes;
export type Theme = "light" | "dark";

const shots = join(import.meta.dirname, "shots");
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

let browser: Browser | undefined;
/** The browser of the machine; one for all stories of a file. */
export function withBrowser(): void {
  beforeAll(async () => {
    const path =
      process.env["CHROMIUM"] ??
      execFileSync("sh", ["-c", "command -v chromium"]).toString().trim();
    browser = await chromium.launch({
      executablePath: path,
      args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
    });
  });
  afterAll(async () => {
    await browser?.close();
    browser = undefined;
  });
}

/** A page of the browser, and what went wrong in it. */
export interface Visit {
  page: Page;
  /** Errors of the console, exceptions, and what the policy refused. */
  troubles: string[];
  close: () => Promise<void>;
}

/** Opens an address, such as "/p/bikes/models", in a window of that size and theme. */
export async function visit(
  path: string,
  size: Size = "wide",
  theme: Theme = "light",
): Promise<Visit> {
  if (!browser) throw new Error("call withBrowser() in the file of the story");
  const context: BrowserContext = await browser.newContext({
    viewport: sizes[size],
    colorScheme: theme,
    reducedMotion: "reduce",
    timezoneId: "Europe/Zurich",
  });
  const { name, value } = session;
  if (value) await context.addCookies([{ name, value, url: base }]);
  const page = await context.newPage();
  const troubles: string[] = [];
  page.on("console", (m) => {
    if (m.type() === "error") troubles.push(m.text());
  });
  page.on("pageerror", (err) => troubles.push(String(err)));
  await page.goto(base + path);
  return { page, troubles, close: () => context.close() };
}

/** Waits until nothing loads any more: no skeleton is in sight. */
export async function settled(page: Page): Promise<void> {
  await page.waitForSelector("h1");
  await page.waitForFunction(() => !document.querySelector('[aria-busy="true"]'));
}

/**
 * Waits until the page has stood still: what loads by itself after the rest, such as a graph,
 * is drawn. A page that never stands still is taken as it is after three seconds.
 */
export async function still(page: Page): Promise<void> {
  await page.evaluate(
    () =>
      new Promise<void>((resolve) => {
        const changes = new MutationObserver(() => {
          clearTimeout(quiet);
          quiet = setTimeout(done, 120);
        });
        const done = () => {
          changes.disconnect();
          clearTimeout(quiet);
          clearTimeout(late);
          requestAnimationFrame(() => resolve());
        };
        let quiet = setTimeout(done, 120);
        const late = setTimeout(done, 3000);
        changes.observe(document, {
          subtree: true,
          childList: true,
          attributes: true,
          characterData: true,
        });
      }),
  );
}

/** What axe finds wrong on a page, as lines. */
export async function accessibility(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  const found = await page.evaluate(async () => {
    const run = (globalThis as unknown as { axe: { run: () => Promise<Results> } }).axe;
    interface Results {
      violations: { id: string; help: string; nodes: { html: string; failureSummary: string }[] }[];
    }
    return (await run.run()).violations;
  });
  return found.flatMap((v) =>
    v.nodes.map((n) => `${v.id}: ${v.help}: ${n.html}: ${n.failureSummary}`),
  );
}

/**
 * Looks at a page at both widths and in both themes: it loads without trouble, does not
 * scroll sideways, axe finds nothing, nothing needs a mouse and the focus is seen; a picture of each is kept in e2e/shots. Each width
 * has one theme, and with FAIRLEAD_LONG both.
 */
export async function look(
  name: string,
  path: string,
  ready?: (page: Page) => Promise<unknown>,
): Promise<void> {
  mkdirSync(shots, { recursive: true });
  for (const size of ["wide", "narrow"] as const) {
    const short = size === "wide" ? (["light"] as const) : (["dark"] as const);
    for (const theme of process.env["FAIRLEAD_LONG"] ? (["light", "dark"] as const) : short) {
      const v = await visit(path, size, theme);
      try {
        await settled(v.page);
        await ready?.(v.page);
        await still(v.page);
        const at = `${name}, ${size}, ${theme}`;
        await v.page.screenshot({ path: join(shots, `${name}-${size}-${theme}.png`) });
        const over = await v.page.evaluate(
          () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
        );
        expect.soft(over, `${at}: scrolls sideways`).toBe(0);
        expect.soft(await accessibility(v.page), `${at}: axe`).toEqual([]);
        expect.soft(await byMouseAlone(v.page), `${at}: by the mouse alone`).toEqual([]);
        expect.soft(await unseenFocus(v.page), `${at}: the focus is not seen`).toEqual([]);
        expect.soft(v.troubles, `${at}: troubles`).toEqual([]);
      } finally {
        await v.close();
      }
    }
  }
}
