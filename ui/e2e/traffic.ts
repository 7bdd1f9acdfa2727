import type { Page } from "playwright-core";
import { expect } from "vitest";
import { base, project } from "./browser";

// Traffic to a project of its own, whose rollouts stories move: TestUI_ACanaryInABrowser
// starts one, and says so.
export const token = process.env["FAIRLEAD_CANARY"] ?? "";
export const name = `${project}@production`;
export const api = `/api/v1/projects/${project}`;
export const page = `/p/${project}/endpoints/${project}/production`;

export interface History {
  rollout: { id: string; state: string; step: number };
  findings: unknown[];
  comparison?: { next_look?: string };
}

export async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const answer = await fetch(base + path, {
    method,
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return JSON.parse(text || "{}") as T;
}

export async function history(): Promise<History> {
  const { items } = await call<{ items: { id: string }[] }>("GET", `${api}/rollouts`);
  return call("GET", `${api}/rollouts/${items[0]?.id ?? ""}/history`);
}

export const hour = 3_600_000;
export let now = Date.UTC(2024, 1, 1);

interface Endpoint {
  clock: { watermark: string };
  generation: number;
  observed_generation: number;
}

/** Goes on where the stream of the endpoint stands, once all that is assigned is served. */
export async function resume() {
  const endpoint = () => call<Endpoint>("GET", `${api}/endpoints/${name}`);
  let e = await endpoint();
  while (e.observed_generation < e.generation) e = await endpoint();
  now = Date.parse(e.clock.watermark) + hour;
}

/** Sends a request with the event time now, and returns its id. */
export async function request(x = 1): Promise<string> {
  const id = `at-${now}`;
  const inputs = [{ name: "x", shape: [1], datatype: "FP64", data: [x] }];
  const parameters = { event_time: new Date(now).toISOString() };
  await call("POST", `/p/${project}/v2/models/${name}/infer`, { id, parameters, inputs });
  return id;
}

/**
 * Sends a day of requests, an hour apart, and their labels: as far from twice x as the live
 * version shall be wrong. The one at noon has an x of its own.
 */
export async function day(wrong = 0, noon = 1) {
  const labels = [];
  for (let i = 0; i < 24; i++, now += hour) {
    const x = i === 12 ? noon : 1;
    labels.push({ request_id: await request(x), value: 2 * x + wrong });
  }
  await call("POST", `${api}/endpoints/${name}/labels`, { labels });
}

/** Sends one request, with which the stream begins, and waits until looks are due. */
export async function begin() {
  await request();
  while (!(await history()).comparison?.next_look);
}

export async function driveTo(to: number) {
  now = Math.max(now, to);
  await call("PUT", `${api}/endpoints/${name}/clock`, { to: new Date(now).toISOString() });
}

/** Whether both buttons can be seen and hit, wherever the page is scrolled to. */
export async function inSight(at: Page) {
  for (const share of [0, 0.5, 1]) {
    const found = await at.evaluate((part) => {
      const main = document.querySelector("main");
      main?.scrollTo(0, part * main.scrollHeight);
      const bar = document.querySelector('[aria-label="Decide about this endpoint"]');
      return [...(bar?.querySelectorAll("button") ?? [])].map((button) => {
        const box = button.getBoundingClientRect();
        const hit = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
        const name = /Roll back|Promote/.exec(button.textContent)?.[0];
        return button.contains(hit) ? name : `${name} at ${box.y}: ${hit?.outerHTML.slice(0, 300)}`;
      });
    }, share);
    const below = await at.evaluate(
      () => document.documentElement.scrollHeight - document.documentElement.clientHeight,
    );
    expect.soft(below, `${at.url()} scrolls into nothing`).toBe(0);
    expect.soft(found, `${at.url()} at ${share}`).toEqual(["Roll back", "Promote"]);
  }
}
