import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it, vi } from "vitest";
import { mount, refusal } from "../../test/mount";

const at = "/projects/x";
const page = "/p/x/endpoints/m/production";
const endpoint = `${at}/endpoints/m@production`;

const answers = (n: number, p50: number | null) => ({
  requests: n,
  rows: n,
  errors: 0,
  refused: 0,
  scored: n,
  failed: 0,
  p50_s: p50,
  p99_s: p50,
  own_p50_s: p50,
  own_p99_s: p50,
});

const version = (n: number, requests: number[], failed = 0) => ({
  version: n,
  total: { ...answers(requests[0] ?? 0, 0.002), failed },
  requests,
  errors: [0, 0],
  refused: [0, 0],
  scored: requests,
  failed: [failed, 0],
  p50_s: [0.002, null],
  p99_s: [0.004, null],
  own_p50_s: [0.001, null],
  own_p99_s: [0.001, null],
});

const served = {
  endpoint: "m@production",
  clock: "event",
  from: "2011-03-01T00:00:00Z",
  to: "2011-03-01T02:00:00Z",
  step_ms: 3_600_000,
  oldest: "2011-03-01T00:00:00Z",
  newest: "2011-03-01T02:00:00Z",
  total: { ...answers(120, 0.002) },
  versions: [version(1, [90, 0]), version(2, [30, 0], 7)],
  variants: [
    { version: 1, role: "live", percent: 75, state: "ready" },
    { version: 2, role: "canary", percent: 25, state: "failing", why: "no worker" },
  ],
};

const options = {
  endpoint: "m@production",
  generation: 4,
  now: served.variants,
  options: [
    {
      action: "promote",
      rollout: "rol_1",
      after: [{ version: 2, role: "live", percent: 100 }],
      effects: ["Version 2 becomes live in place of version 1."],
      alias: 2,
    },
    {
      action: "rollback",
      rollout: "rol_1",
      after: [{ version: 1, role: "live", percent: 100 }],
      effects: ["The canary of version 2 ends without its version."],
    },
    { action: "restore", refused: "there is no standby version to go back to" },
  ],
};

const about = {
  endpoint: "m@production",
  environment: "production",
  model: "m",
  generation: 4,
  observed_generation: 4,
  reason: "",
  settings: {},
  variants: served.variants,
  clock: {
    stream: "m@production",
    watermark: "2011-03-01T02:00:00Z",
    driven: false,
    mode: "event_time",
    timers: 0,
    next_timer: "0001-01-01T00:00:00Z",
  },
};

const form = {
  endpoint: "m@production",
  version: 1,
  role: "live",
  seen: 10,
  outputs: [{ name: "y", kind: "double", required: true }],
  inputs: [
    { name: "hr", kind: "long", required: true, typical: 8, least: 0, greatest: 23 },
    { name: "place", kind: "string", required: false, typical: "JFK", categories: ["JFK"] },
  ],
};

/** What the reader may do. */
const reader = (...may: string[]) => ({
  [`${at}/permissions`]: {
    items: ["read", ...may],
    otherwise: "This needs a role that you have not",
  },
});

const whole = (...may: string[]) => ({
  ...reader(...may),
  [`${at}/traffic`]: { items: [served] },
  [at]: { spec: { model: "m", release: [{ name: "staging" }, { name: "production" }] } },
  [`${at}/rollouts`]: { items: [] },
  [`${endpoint}`]: about,
  [`${endpoint}/traffic`]: served,
  [`${endpoint}/options`]: options,
  [`${endpoint}/rollouts`]: { items: [] },
  [`${endpoint}/form`]: form,
});

it("says what went wrong in the words that callers got, and by which version", async () => {
  mount(page, {
    ...whole("read"),
    [`${endpoint}/traffic`]: {
      ...served,
      failures: [
        {
          version: 2,
          what: "failed",
          code: "unavailable",
          message: "the worker has ended",
          count: 7,
          first: "2026-11-01T00:00:00Z",
          last: "2026-11-02T00:00:00Z",
          request: "rq_1",
        },
      ],
    },
  });
  const table = await screen.findByRole("group", { name: "What went wrong" });
  const row = within(table).getByRole("row", { name: /the worker has ended/ });
  expect(row).toHaveTextContent(/7 ?not scored/);
  expect(within(row).getByRole("link", { name: "version 2" })).toHaveAttribute(
    "href",
    "/p/x/models/m/versions/2",
  );
});

it("says once that there is no such endpoint, and offers no decision about it", async () => {
  const gone = refusal(404, 'there is no endpoint "m@production"');
  mount(page, { ...whole("read", "operate"), [endpoint]: gone, [`${endpoint}/traffic`]: gone });
  expect(await screen.findAllByRole("alert")).toHaveLength(1);
  expect(screen.queryByRole("button", { name: /Roll back/ })).toBeNull();
});

it("lists what each version does, and environments that nothing was released to", async () => {
  mount("/p/x/endpoints", whole("read"));
  const table = await screen.findByRole("group", { name: "Versions of m@production" });
  const canary = within(table).getByRole("row", { name: /canary/ });
  expect(canary).toHaveTextContent("25 %");
  expect(canary).toHaveTextContent("failing");
  expect(canary).toHaveTextContent("no worker");
  expect(canary).toHaveTextContent("15 /h");
  expect(canary).toHaveTextContent("7 (23.3 %)");
  expect(within(table).getByRole("row", { name: /live/ })).toHaveTextContent("none");
  const empty = await screen.findByRole("region", { name: "m@staging" });
  expect(empty).toHaveTextContent("fairlead release m");
});

it("teaches how endpoints begin where there are none", async () => {
  mount("/p/x/endpoints", {
    ...whole(),
    [`${at}/traffic`]: { items: [] },
    [at]: { spec: {} },
  });
  expect(await screen.findByText("There are no environments yet")).toBeVisible();
});

it("shows a skeleton while it loads, and what went wrong", async () => {
  mount("/p/x/endpoints", { ...whole(), [`${at}/traffic`]: undefined });
  expect(await screen.findByRole("status", { name: "Loading" })).toBeInTheDocument();
});

it("says what went wrong, and tries again", async () => {
  const { asked } = mount("/p/x/endpoints", {
    ...whole(),
    [`${at}/traffic`]: refusal(500, "the disk is gone"),
  });
  expect(await screen.findByRole("alert")).toHaveTextContent("the disk is gone");
  const before = asked.length;
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  await waitFor(() => expect(asked.length).toBeGreaterThan(before));
});

it("promotes with a reason, on what it has shown", async () => {
  const promote = `POST ${at}/rollouts/rol_1/promote`;
  let done = false;
  const { sent } = mount(page, {
    ...whole("operate"),
    [promote]: () => ((done = true), {}),
    [`${endpoint}/options`]: () =>
      done
        ? { ...options, generation: 5, now: [{ version: 2, role: "live", percent: 100 }] }
        : options,
  });
  await userEvent.click(await screen.findByRole("button", { name: "Promote version 2" }));
  const dialog = await screen.findByRole("dialog", { name: "Promote to m@production" });
  expect(dialog).toHaveTextContent("Version 2 becomes live in place of version 1.");
  const go = within(dialog).getByRole("button", { name: "Promote version 2" });
  expect(go).toBeDisabled();
  expect(within(dialog).getByRole("textbox", { name: /Why/ })).toHaveFocus();
  await userEvent.keyboard("better at night");
  await userEvent.click(go);
  await waitFor(() =>
    expect(sent.find((s) => s.method === "POST")).toMatchObject({
      path: `${at}/rollouts/rol_1/promote`,
      body: { reason: "better at night", generation: 4 },
    }),
  );
  expect(await within(dialog).findByText(/roll back: version 1 is on standby/)).toBeVisible();
  await expect.poll(() => document.activeElement?.textContent).toBe("Close");
});

it("says why the server did not do it", async () => {
  const rollback = `POST ${at}/rollouts/rol_1/rollback`;
  mount(page, {
    ...whole("operate"),
    [rollback]: refusal(409, "it has changed meanwhile"),
  });
  await userEvent.click(await screen.findByRole("button", { name: "Roll back" }));
  const dialog = await screen.findByRole("dialog");
  await userEvent.type(within(dialog).getByRole("textbox", { name: /Why/ }), "bad");
  await userEvent.click(within(dialog).getByRole("button", { name: "End the rollout" }));
  expect(await within(dialog).findByRole("alert")).toHaveTextContent("it has changed meanwhile");
});

it("sends a decision whose answer was lost again under the same key, with what was written", async () => {
  const rollback = `POST ${at}/rollouts/rol_1/rollback`;
  let lost = true;
  mount(page, {
    ...whole("operate"),
    [rollback]: () => {
      if (lost) throw new TypeError("Failed to fetch");
      return {};
    },
  });
  const { fetch } = globalThis;
  const keys: (string | null)[] = [];
  vi.stubGlobal("fetch", (request: Request) => {
    if (request.method === "POST") keys.push(request.headers.get("Idempotency-Key"));
    return fetch(request);
  });
  await userEvent.click(await screen.findByRole("button", { name: "Roll back" }));
  const dialog = await screen.findByRole("dialog");
  await userEvent.type(within(dialog).getByRole("textbox", { name: /Why/ }), "bad");
  const end = within(dialog).getByRole("button", { name: "End the rollout" });
  await userEvent.click(end);
  expect(await within(dialog).findByRole("alert")).toHaveTextContent("No answer came");
  lost = false;
  await userEvent.click(end);
  await within(dialog).findByText(/release it again/);
  expect(keys).toEqual([expect.stringMatching(/^[0-9a-f]{32}$/), keys[0]]);
});

it("tells at the endpoint why its newest rollout ended without its version", async () => {
  const ended = {
    id: "rol_1",
    endpoint: "m@production",
    environment: "production",
    model: "m",
    from: 1,
    to: 2,
    strategy: "canary",
    plan: {},
    state: "finished",
    outcome: "rolledback",
    reason: "version 2 is worse",
    step: 1,
    percent: 0,
    step_at: "2011-03-01T00:00:00Z",
    step_labels: 0,
    evidence: { labels: 0 },
    started: "2011-03-01T00:00:00Z",
    changed: "2011-03-02T00:00:00Z",
    ended: "2011-03-02T00:00:00Z",
  };
  const history = {
    rollout: ended,
    findings: [],
    steps: [10, 100],
    needed: 48,
    labels: 0,
    at_most_ms: 0,
  };
  const by = (actor: string) => ({
    ...whole("operate"),
    [`${endpoint}/rollouts`]: { items: [ended] },
    [`${at}/rollouts/rol_1/history`]: {
      ...history,
      turns: [{ what: "finished", step: 1, percent: 0, actor, at: ended.ended, evidence: {} }],
    },
  });
  const { unmount } = mount(page, by("system:monitor"));
  expect(await screen.findByText(/Rolled back at 10 %, by itself/)).toBeVisible();
  expect(screen.getByText(/version 2 is worse/)).toBeVisible();
  unmount();
  mount(page, by("user:kim"));
  expect(await screen.findByText(/Rolled back at 10 %, by kim/)).toBeVisible();
});

it("can roll back while everything else fails to load", async () => {
  const gone = refusal(500, "no");
  const { sent } = mount(page, {
    ...reader("operate"),
    [endpoint]: gone,
    [`${endpoint}/traffic`]: gone,
    [`${endpoint}/rollouts`]: gone,
    [`${endpoint}/options`]: gone,
    [`POST ${endpoint}/rollback`]: {},
  });
  const bar = await screen.findByRole("region", { name: "Decide about this endpoint" });
  await within(bar).findByRole("alert");
  await userEvent.click(within(bar).getByRole("button", { name: "Roll back" }));
  const dialog = await screen.findByRole("dialog", { name: "Roll back m@production" });
  await userEvent.type(within(dialog).getByRole("textbox", { name: /Why/ }), "fire");
  await userEvent.click(
    within(dialog).getByRole("button", { name: "Go back to the version before" }),
  );
  await waitFor(() =>
    expect(sent.find((s) => s.method === "POST")).toMatchObject({ body: { reason: "fire" } }),
  );
});

it("says who may decide to whom may not", async () => {
  mount(page, whole());
  const bar = await screen.findByRole("region", { name: "Decide about this endpoint" });
  expect(await within(bar).findByText("This needs a role that you have not")).toBeVisible();
  expect(within(bar).getByRole("button", { name: "Roll back" })).toBeDisabled();
});

it("tries the endpoint with values that it has seen, and leaves no trace", async () => {
  const infer = "POST /p/x/v2/models/m@production/infer";
  const { sent } = mount(`${page}?tab=try`, {
    ...whole("operate", "predict"),
    [infer]: { model_version: "1", id: "rq_7", outputs: [{ name: "y", data: [12.5] }] },
  });
  const hour = await screen.findByRole("textbox", { name: "hr, row 1" });
  expect(hour).toHaveValue("8");
  await userEvent.clear(hour);
  expect(screen.getByText("hr in row 1: needed")).toBeVisible();
  await userEvent.type(hour, "17");
  await userEvent.click(screen.getByRole("button", { name: "Ask" }));
  const answer = await screen.findByRole("region", { name: "Answers" });
  expect(answer).toHaveTextContent("12.5");
  expect(screen.getByText(/rq_7/).parentElement).toHaveTextContent("not counted");
  expect(sent.find((s) => s.path.includes("/infer"))?.body).toEqual({
    parameters: { trial: true },
    inputs: [
      { name: "hr", datatype: "INT64", shape: [1], data: [17] },
      { name: "place", datatype: "BYTES", shape: [1], data: ["JFK"] },
    ],
  });
  await userEvent.click(screen.getByRole("tab", { name: "CLI" }));
  expect(screen.getByLabelText("CLI call")).toHaveTextContent(
    `fairlead predict m@production --server http://localhost:3000 --project x '{"hr":17,"place":"JFK"}'`,
  );
});

it("says that a request counts where it cannot be left out", async () => {
  mount(`${page}?tab=try`, whole("predict"));
  expect(await screen.findByText(/It counts: it is logged/)).toHaveTextContent(
    "This needs a role that you have not",
  );
});
