import { chromium } from "playwright-core";
import { readFileSync } from "node:fs";
const axe = readFileSync("node_modules/axe-core/axe.min.js", "utf8");
const b = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu"],
});
const size = (process.argv[2] ?? "1440x900").split("x").map(Number),
  theme = process.argv[3] ?? "light",
  tag = process.argv[4] ?? "t";
const c = await b.newContext({
  viewport: { width: size[0], height: size[1] },
  colorScheme: theme,
  reducedMotion: "reduce",
});
const p = await c.newPage();
p.on("console", (m) => m.type() === "error" && console.log("console:", m.text().slice(0, 300)));
p.on("pageerror", (e) => console.log("pageerror:", String(e).slice(0, 800)));
const shot = async (n) => {
  await p.waitForTimeout(700);
  await p.screenshot({ path: `/tmp/${tag}-${n}.png` });
  await p.evaluate(axe);
  const v = await p.evaluate(async () =>
    (await axe.run()).violations.flatMap((v) =>
      v.nodes
        .slice(0, 3)
        .map((n) => v.id + ": " + n.html.slice(0, 160) + " :: " + n.failureSummary.slice(0, 200)),
    ),
  );
  const over = await p.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
  if (over) console.log(n, "over", over);
  for (const x of v) console.log(n, "AXE", x);
};
const step = async (n, f) => {
  try {
    await f();
    await shot(n);
  } catch (e) {
    console.log(n, "FAILED", String(e).slice(0, 400));
    await p.screenshot({ path: `/tmp/${tag}-${n}.png` });
  }
};
const big = "http://127.0.0.1:5101/p/default",
  demo = "http://127.0.0.1:5151/p/bikes";
await step("list", async () => {
  await p.goto(demo + "/experiments");
  await p.waitForSelector("table");
});
await step("nested", async () => {
  await p.goto(demo + "/experiments/1");
  await p.waitForSelector("[role=row] a");
  await p
    .getByRole("button", { name: /Rows below/ })
    .first()
    .click();
  await p
    .getByRole("button", { name: /Rows below/ })
    .nth(2)
    .click();
});
await step("select", async () => {
  await p
    .getByRole("checkbox", { name: /Select/ })
    .nth(1)
    .check();
  await p
    .getByRole("checkbox", { name: /Select/ })
    .nth(2)
    .check();
});
await step("headmenu", async () => {
  await p
    .getByRole("columnheader", { name: /validation.wape/ })
    .first()
    .click();
});
await step("curve", async () => {
  await p.getByRole("menuitemradio", { name: /Best/ }).click();
});
await step("complete", async () => {
  await p.keyboard.press("Escape");
  await p.getByRole("combobox", { name: /Filter/ }).click();
  await p.keyboard.type("metrics.val");
});
await step("wrong", async () => {
  await p.keyboard.press("Escape");
  await p.getByRole("combobox", { name: /Filter/ }).fill("metrics.validation.wape > 'x' AND a");
  await p.getByRole("combobox", { name: /Filter/ }).press("Escape");
});
await step("picker", async () => {
  await p.goto(big + "/experiments/1");
  await p.waitForSelector("[role=row] a");
  await p.getByRole("button", { name: "Columns" }).click();
});
await step("group", async () => {
  await p.goto(big + '/experiments/1?by=["params.p3"]');
  await p.waitForSelector("[role=row][data-group]");
  await p
    .getByRole("button", { name: /Rows below/ })
    .nth(1)
    .click();
});
await step("trash", async () => {
  await p.goto(demo + "/experiments/trash");
  await p.waitForSelector("h1");
});
await step("all", async () => {
  await p.goto(demo + "/runs?flat=true");
  await p.waitForSelector("[role=row] a");
});
await b.close();
