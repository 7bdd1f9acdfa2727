// Measures pages in the browser, for bench/ui.go: reads what to measure as JSON from
// standard input, and writes what it found as JSON. All times are in ms.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { chromium } from "playwright-core";

/**
 * @typedef {{ name: string, url: string, ready: string }} Load a page, and the selector of what it is waited for
 * @typedef {Load & { press: string, drawn: string }} Press what is pressed on a page, and what that leads to
 * @typedef {{ url: string, ready: string }} Scroll the page of a grid
 * @typedef {{ url: string, api: string, run: string, key: string, seconds: number }} Live the page of a run
 * @typedef {{ turns: number, loads: Load[], press?: Press, scroll?: Scroll, live?: Live }} Order
 */

/** @type {Order} */
const order = JSON.parse(readFileSync(0, "utf8"));
const browser = await chromium.launch({
  executablePath:
    process.env.CHROMIUM ?? execFileSync("sh", ["-c", "command -v chromium"]).toString().trim(),
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--enable-precise-memory-info",
  ],
});
try {
  const loads = [];
  for (let turn = 0; turn < order.turns; turn++) {
    for (const load of order.loads) loads.push(await measureLoad(load));
  }
  const pressed = [];
  for (let turn = 0; order.press && turn < order.turns; turn++) {
    pressed.push(await measurePress(order.press));
  }
  const scroll = order.scroll && (await measureScroll(order.scroll));
  const live = order.live && (await measureLive(order.live));
  console.log(JSON.stringify({ loads, pressed, scroll, live }));
} finally {
  await browser.close();
}

/** Opens a page for the first time, with an empty cache. @param {Load} load */
async function measureLoad(load) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  const cdp = await context.newCDPSession(page);
  await cdp.send("Network.enable");
  let bytes = 0;
  cdp.on("Network.loadingFinished", (e) => (bytes += e.encodedDataLength));
  await page.addInitScript((selector) => {
    globalThis.seen = { ready: 0, busyUntil: 0, paint: 0 };
    new PerformanceObserver((list) => {
      for (const e of list.getEntries()) {
        if (e.name === "first-contentful-paint") globalThis.seen.paint = e.startTime;
      }
    }).observe({ type: "paint", buffered: true });
    new PerformanceObserver((list) => {
      for (const e of list.getEntries()) globalThis.seen.busyUntil = e.startTime + e.duration;
    }).observe({ type: "longtask", buffered: true });
    const look = () => {
      if (document.querySelector(selector)) globalThis.seen.ready = performance.now();
      else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  }, load.ready);
  await page.goto(load.url);
  await page.waitForFunction(() => globalThis.seen.ready > 0, undefined, { timeout: 120_000 });
  await page.waitForTimeout(1000); // what keeps the page busy behind its first sight counts too
  const seen = await page.evaluate(() => globalThis.seen);
  await context.close();
  return {
    name: load.name,
    bytes,
    paint: seen.paint,
    ready: seen.ready,
    interactive: Math.max(seen.ready, seen.busyUntil),
  };
}

/** Presses something on a page that is at rest, until what it leads to is drawn. @param {Press} press */
async function measurePress(press) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  await page.goto(press.url);
  await page.waitForSelector(press.ready, { timeout: 60_000 });
  await page.waitForTimeout(1000);
  const took = await page.evaluate(
    ([what, drawn]) =>
      new Promise((done) => {
        const began = performance.now();
        document.querySelector(what).click();
        const look = () => {
          if (!document.querySelector(drawn)) requestAnimationFrame(look);
          else requestAnimationFrame(() => done(performance.now() - began)); // it is painted then
        };
        look();
      }),
    [press.press, press.drawn],
  );
  await context.close();
  return took;
}

/** Scrolls a grid down and to the right, and takes the time of each frame. @param {Scroll} scroll */
async function measureScroll(scroll) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  await page.goto(scroll.url);
  await page.waitForSelector(scroll.ready, { timeout: 60_000 });
  await page.waitForTimeout(1000);
  const box = await page.locator('[data-scroll-restoration-id="grid"]').boundingBox();
  if (!box) throw new Error("the page has no grid");
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.evaluate(() => {
    globalThis.frames = [];
    let before = performance.now();
    const frame = (now) => {
      globalThis.frames.push(now - before);
      before = now;
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });
  for (let i = 0; i < 240; i++) {
    const sideways = i % 60 >= 45;
    await page.mouse.wheel(sideways ? 240 : 0, sideways ? 0 : 480);
    await page.waitForTimeout(16);
  }
  const frames = (await page.evaluate(() => globalThis.frames)).slice(5).sort((a, b) => a - b);
  await context.close();
  return {
    frames: frames.length,
    p95: frames[Math.floor(frames.length * 0.95)],
    worst: frames.at(-1),
  };
}

/**
 * Keeps the page of a run open while points come in: how long until a point is in sight,
 * and what the page's memory does meanwhile. @param {Live} live
 */
async function measureLive(live) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  const cdp = await context.newCDPSession(page);
  await cdp.send("Performance.enable");
  await page.goto(live.url);
  await page.waitForSelector("figure canvas", { timeout: 60_000 });
  let step = 0;
  const log = async (value) => {
    const res = await fetch(`${live.api}/runs/log-metric`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({
        run_id: live.run,
        key: live.key,
        value,
        step: step++,
        timestamp: Date.now(),
      }),
    });
    if (!res.ok) throw new Error(`log-metric: ${res.status} ${await res.text()}`);
  };
  const latencies = [];
  for (let i = 0; i < 10; i++) {
    const value = 5001 + i;
    await log(value);
    const began = performance.now();
    await page.waitForFunction(
      (text) => document.body.innerText.includes(text),
      value.toLocaleString("en-US"),
      { polling: 20, timeout: 30_000 },
    );
    latencies.push(performance.now() - began);
  }
  const heap = async () => {
    await cdp.send("HeapProfiler.collectGarbage");
    const { metrics } = await cdp.send("Performance.getMetrics");
    return metrics.find((m) => m.name === "JSHeapUsedSize").value / 1e6;
  };
  const samples = [];
  const end = performance.now() + live.seconds * 1000;
  let next = 0;
  while (performance.now() < end) {
    await log(Math.sin(step / 50));
    if (performance.now() >= next) {
      samples.push(await heap());
      next = performance.now() + (live.seconds * 1000) / 20;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  samples.push(await heap());
  await context.close();
  return { latencies, heapMB: samples };
}
