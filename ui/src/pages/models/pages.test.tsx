import { configure, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it, vi } from "vitest";
import { mount, refusal } from "../../test/mount";

// A page's code comes with its first drawing, which takes a busy machine a while.
configure({ asyncUtilTimeout: 10_000 });
vi.setConfig({ testTimeout: 30_000 });

const root = "/projects/p/models";
const at = `${root}/bikes`;
const version = (n: number, more: object = {}) => ({
  model: "bikes",
  n,
  source: "models:/m-1",
  storage: "",
  user: "ada",
  stage: "None",
  state: "ready",
  produced_by: {},
  created_ms: 1_700_000_000_000 + n,
  updated_ms: 1_700_000_000_000,
  tags: [],
  aliases: [],
  conditions: [],
  holds: [],
  ...more,
});
const model = {
  name: "bikes",
  description: "Riders by the hour",
  created_ms: 1_700_000_000_000,
  updated_ms: 1_700_000_000_000,
  tags: [{ key: "team", value: "mobility" }],
  aliases: { live: 1, best: 1 },
  latest: [version(2)],
};
const decision = {
  id: "dec_1",
  model: "bikes",
  version: 2,
  baseline: 1,
  result: "failed",
  at: "2011-06-01T00:00:00Z",
  created: "2026-11-21T20:26:54Z",
  evidence: "evd_1",
  evidence_digest: "",
  policy: "",
  policy_digest: "",
  spec_revision: 1,
  checks: [
    {
      name: "better-than-live",
      check: "candidate.wape <= live.wape",
      state: "red",
      message: "false",
      values: {
        "candidate.wape": { type: "double", value: 0.4768 },
        "live.wape": { type: "double", value: 0.1868 },
      },
      gap: { term: "", got: 0.4768, op: "<=", needed: 0.1868, difference: 0.29 },
    },
  ],
};
const page = (...items: object[]) => ({ items });
const full = {
  "/projects/p/permissions": { items: ["read", "track", "run"], otherwise: "" },
  [root]: page({
    ...model,
    versions: 2,
    newest: 2,
    decision: { ...decision, failed: ["better-than-live"] },
  }),
  [at]: model,
  [`${at}/versions`]: page(version(1, { aliases: ["live", "best"] }), version(2)),
  [`${at}/moves`]: page({
    alias: "live",
    rev: 1,
    from: 0,
    to: 1,
    event: "ev_1",
    actor: "system:release",
    at_ms: 1_700_000_100_000,
  }),
  [`${at}/decisions`]: page(decision),
  [`${at}/versions/2`]: version(2, { tags: [{ key: "colleague", value: "noisy" }] }),
  [`${at}/versions/2/facts`]: { version: version(2), data: [], cases: [], decision },
  [`${at}/versions/2/lineage`]: {
    nodes: [{ id: "version/bikes/2", kind: "version", key: "bikes", n: 2, self: true }],
    edges: [],
  },
};

/** A button, once it is known that it may be used. */
async function allowed(name: string): Promise<HTMLElement> {
  const button = await screen.findByRole("button", { name });
  await waitFor(() =>
    expect(screen.getByRole("button", { name })).not.toHaveAttribute("aria-disabled"),
  );
  return button.isConnected ? button : screen.getByRole("button", { name });
}

it("lists the models with what is live and what was decided", async () => {
  mount("/p/p/models", full);
  const row = within(await screen.findByRole("row", { name: /bikes/ }));
  expect(row.getByRole("link", { name: "version 1" })).toHaveAttribute(
    "href",
    "/p/p/models/bikes/versions/1",
  );
  expect(row.getByText("failed")).toBeVisible();
  expect(row.getByText("better-than-live")).toBeVisible();
});

it("teaches how the first model comes about, and says when none has the name", async () => {
  mount("/p/p/models", { ...full, [root]: page() });
  expect(await screen.findByText("There is no model yet")).toBeVisible();
  expect(screen.getByText("fairlead run")).toBeVisible();
  const user = userEvent.setup();
  await user.type(screen.getByLabelText("Find models by name"), "zzz");
  expect(await screen.findByText(/No model has “zzz” in its name/)).toBeVisible();
});

it("has the frame of a page while it loads", async () => {
  mount("/p/p/models", { ...full, [root]: undefined });
  expect(await screen.findByRole("status", { name: "Loading" })).toBeInTheDocument();
  expect(screen.getByRole("heading", { level: 1, name: "Models" })).toBeVisible();
});

it("says in the server's words what is wrong, and tries again", async () => {
  const { answers } = mount("/p/p/models/bikes", {
    ...full,
    [at]: refusal(500, "the disk is gone"),
  });
  expect(await screen.findByText("the disk is gone")).toBeVisible();
  answers[at] = model;
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  expect(await screen.findByText("Riders by the hour")).toBeVisible();
});

it("shows a model as of a time, when nothing can be changed", async () => {
  const { asked } = mount("/p/p/models/bikes?as_of=2023-11-15T00:00:00Z", full);
  expect(await screen.findByText(/As it was on/)).toBeVisible();
  const edit = await screen.findByRole("button", { name: "Edit" });
  expect(edit).toHaveAttribute("aria-disabled", "true");
  expect(edit).toHaveAttribute("aria-description", expect.stringContaining("past"));
  await userEvent.click(screen.getByRole("button", { name: "Back to now" }));
  await waitFor(() => expect(screen.queryByText(/As it was on/)).toBeNull());
  expect(asked).toContain(`GET ${at}/moves?limit=200&page=`);
});

it("says of a version in the past nothing that came later", async () => {
  const old = "?as_of=2023-11-15T00:00:00Z";
  mount(`/p/p/models/bikes/versions/2${old}`, {
    ...full,
    [`${at}/versions/2/facts`]: {
      ...full[`${at}/versions/2/facts`],
      evidence: { "candidate.wape": { type: "double", value: 0.4768 } },
      package: { engine: "onnx" },
      cases: [{ id: "ca_1", state: "closed", outcome: "promoted" }],
    },
    [`${at}/decisions`]: page(),
  });
  expect(await screen.findByText("No gate has judged this version")).toBeVisible();
  expect(await screen.findByText("Not measured")).toBeVisible();
  for (const later of ["failed", "promoted", "0.4768", "ONNX"])
    expect(screen.queryByText(later)).toBeNull();
});

it("goes back in many versions and keeps the newest, saying of none what it does not know", async () => {
  mount("/p/p/models/bikes", {
    ...full,
    [at]: { ...model, latest: [version(1200)] },
    [`${at}/versions?after=700&limit=500`]: page(version(701), version(1200)),
    [`${at}/versions?after=200&limit=500`]: page(version(201), version(701)), // one of its own was deleted
    [`${at}/decisions`]: { ...page({ ...decision, version: 1200 }), next: "n" },
  });
  const user = userEvent.setup();
  await screen.findByText("Choose two to compare them.");
  const versions = within(screen.getByRole("region", { name: "Versions" }));
  const row = (n: number) =>
    within(versions.getByText(`version ${n}`).closest("tr") as HTMLElement);
  await versions.findByText("version 1200");
  expect(row(1200).getByText("failed")).toBeVisible();
  await user.click(versions.getByRole("button", { name: "Show older versions" }));
  await versions.findByText("version 201");
  expect(row(201).queryByText("not judged")).toBeNull();
  expect(row(701)).toBeDefined(); // once
  expect(row(1200)).toBeDefined();
  expect(screen.getByRole("button", { name: "Show older decisions" })).toBeVisible();
});

it("changes a description, and says what the server says against it", async () => {
  const { answers, sent } = mount("/p/p/models/bikes", {
    ...full,
    [`PUT ${at}/description`]: refusal(412, "somebody was faster"),
  });
  const user = userEvent.setup();
  await user.click(await allowed("Edit"));
  const field = screen.getByRole("textbox", { name: "Description" });
  await user.clear(field);
  await user.type(field, "By the hour");
  await user.click(screen.getByRole("button", { name: "Save" }));
  expect(await screen.findByText("somebody was faster")).toBeVisible();
  answers[`PUT ${at}/description`] = {};
  await user.click(screen.getByRole("button", { name: "Save" }));
  await waitFor(() => expect(screen.queryByRole("textbox", { name: "Description" })).toBeNull());
  expect(sent.at(-1)?.body).toEqual({ description: "By the hour" });
});

it("shows each check of a version with its operands, and by how much it failed", async () => {
  mount("/p/p/models/bikes/versions/2", full);
  const checks = within(await screen.findByRole("article", { name: "Decision dec_1" }));
  expect(checks.getByText("candidate.wape <= live.wape")).toBeVisible();
  expect(checks.getByText("0.4768")).toBeVisible();
  expect(checks.getByText("0.1868")).toBeVisible();
  expect(checks.getByText("got 0.4768, needed <= 0.1868: missed by 0.29")).toBeVisible();
  expect(checks.getByText("0 of 1 check met")).toBeVisible();
  expect(screen.getByRole("link", { name: "Download the proof" })).toHaveAttribute(
    "href",
    `/api/v1${at}/versions/2/proof`,
  );
});

it("says what a candidate sets going before it does", async () => {
  const { sent } = mount("/p/p/models/bikes/versions/2", {
    ...full,
    [`PUT ${at}/candidate`]: { id: "ca_1" },
  });
  const user = userEvent.setup();
  await user.click(await allowed("Make it the candidate"));
  const dialog = within(await screen.findByRole("dialog"));
  expect(dialog.getByText(/This opens a case of the loop/)).toBeVisible();
  expect(dialog.getByText(/released to each environment/)).toBeVisible();
  expect(sent).toEqual([]);
  await user.click(dialog.getByRole("button", { name: "Make it the candidate" }));
  expect(await dialog.findByText("A case has begun")).toBeVisible();
  expect(sent).toEqual([{ method: "PUT", path: `${at}/candidate`, body: { version: 2 } }]);
});

it("tells who may not change a version why", async () => {
  mount("/p/p/models/bikes/versions/2", {
    ...full,
    "/projects/p/permissions": { items: ["read"], otherwise: "This needs another role" },
  });
  const button = await screen.findByRole("button", { name: "Make it the candidate" });
  await waitFor(() =>
    expect(button).toHaveAttribute("aria-description", expect.stringContaining("role")),
  );
});

it("deletes a model only when its name is typed", async () => {
  const { asked, sent } = mount("/p/p/models/bikes", full);
  const user = userEvent.setup();
  await user.click(await allowed("Delete"));
  const dialog = within(await screen.findByRole("dialog"));
  const deed = dialog.getByRole("button", { name: "Delete the model" });
  expect(deed).toBeDisabled();
  await user.type(dialog.getByLabelText("Type bikes to confirm"), "bikes");
  await user.click(deed);
  expect(await screen.findByRole("heading", { level: 1, name: "Models" })).toBeVisible();
  expect(sent).toEqual([{ method: "DELETE", path: at, body: null }]);
  expect(asked.slice(asked.indexOf(`DELETE ${at}`) + 1)).not.toContain(`GET ${at}`);
});

it("compares two versions by what differs", async () => {
  const facts = (n: number, rows: number) => ({
    version: version(n, { produced_by: { params: { train: { trees: rows } } } }),
    data: [],
    cases: [],
  });
  mount("/p/p/models/bikes/compare?a=1&b=2", {
    ...full,
    [`${at}/versions/1/facts`]: facts(1, 100),
    [`${at}/versions/2/facts`]: facts(2, 200),
  });
  const params = within(await screen.findByRole("group", { name: "Params" }));
  const row = within(params.getByRole("row", { name: /train.trees/ }));
  expect(row.getByText("100")).toBeVisible();
  expect(row.getByText("200")).toBeVisible();
  expect(screen.queryByRole("group", { name: "Origin and package" })).toBeNull();
});
