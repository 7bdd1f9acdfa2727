import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it } from "vitest";
import type { Overview } from "../../data/overview";
import { mount, refusal } from "../../test/mount";
import { summary } from "./loop";

const empty: Overview = { project: "wine", seq: 0, models: [], endpoints: [], needs: [] };
const phase = {
  name: "business",
  title: "Business understanding",
  about: "What does success mean?",
  done: 1,
  checks: [
    { name: "Goal", state: "done", fact: "accuracy at least 0.85" },
    { name: "Owner", state: "open", fact: "nobody is named", next: "owner: the-team" },
  ],
};
const full: Overview = {
  project: "wine",
  seq: 9,
  owner: "cellar",
  risk: "limited",
  revision: 3,
  models: [
    {
      model: "wine",
      live: 2,
      newest: 3,
      retrains: 1,
      marks: [
        {
          station: "training",
          text: "with a search of settings",
          link: { kind: "case", id: "ca_1" },
        },
        {
          station: "incident",
          version: 2,
          text: "1 open at wine@production",
          since: "2026-03-01T00:00:00Z",
          link: { kind: "endpoint", id: "wine@production" },
        },
      ],
    },
    {
      model: "old",
      retrains: 0,
      marks: [
        { station: "retired", version: 1, text: "it is over", link: { kind: "model", id: "old" } },
      ],
    },
  ],
  endpoints: [
    {
      endpoint: "wine@production",
      environment: "production",
      model: "wine",
      health: "incident",
      live: 2,
      incidents: 1,
      traffic: {
        clock: "wall",
        from: "2026-03-03T00:00:00Z",
        to: "2026-03-03T01:00:00Z",
        requests: 7_196,
        errors: 4,
        p50_s: 0.0012,
        p99_s: 0.009,
        points: [1_200, 2_400, 3_600],
      },
      drift: { state: "red", version: 2, value: 0.4, limit: 0.25, to: "2026-03-02T00:00:00Z" },
    },
  ],
  needs: [
    {
      kind: "incident",
      title: "Drift of version 2 at wine@production",
      text: "2 of the last 3 windows are red",
      link: { kind: "incident", id: "in_1" },
    },
  ],
};
const event = {
  seq: 9,
  id: "ev_9",
  type: "incident.opened",
  time_ms: Date.now(),
  at_ms: Date.now(),
  subject: "endpoint/wine@production",
  actor: "system:monitor",
  project: "wine",
  version: 1,
  body: { incident: "in_1" },
  text: "An incident of drift opened",
};

const at = "/projects/wine";
const open = (said: Record<string, unknown>) =>
  mount(
    "/p/wine/",
    Object.fromEntries(Object.entries(said).map(([name, answer]) => [`${at}/${name}`, answer])),
  );

it("keeps the layout while it loads", async () => {
  open({ overview: undefined, phases: undefined, events: undefined });
  expect(await screen.findByRole("heading", { level: 1, name: "wine" })).toBeVisible();
  expect(screen.getAllByRole("status", { name: "Loading" })).toHaveLength(3);
  expect(screen.getByRole("heading", { name: "The loop" })).toBeVisible();
});

it("teaches the next command where there is nothing", async () => {
  open({ overview: empty, phases: { phases: [phase] }, events: { items: [] } });
  expect(await screen.findByText("No model is here yet")).toBeInTheDocument();
  // In the picture, and below it where nothing is served and where nothing has happened.
  expect(await screen.findAllByText("fairlead init --git && fairlead run")).toHaveLength(3);
  expect(screen.getByText("Nothing waits for a human.")).toBeVisible();
  expect(await screen.findByText("Nothing has happened yet")).toBeVisible();
});

it("begins no file where there is one", async () => {
  open({
    overview: { ...empty, revision: 1 },
    phases: { phases: [phase] },
    events: { items: [event] },
  });
  expect(await screen.findByText("fairlead check && fairlead run")).toBeInTheDocument();
  expect(screen.getByText("fairlead run")).toBeInTheDocument();
  expect(screen.queryByText(/fairlead init/)).not.toBeInTheDocument();
});

it("shows the server's words when one part fails, and the others all the same", async () => {
  open({
    overview: refusal(500, "the database is away"),
    phases: { phases: [phase] },
    events: { items: [event] },
  });
  expect(await screen.findByText("the database is away")).toBeVisible();
  expect(screen.getByRole("button", { name: "Try again" })).toBeVisible();
  expect(await screen.findByRole("link", { name: "An incident of drift opened" })).toHaveAttribute(
    "href",
    "/p/wine/incidents/in_1",
  );
});

it("shows what needs a human, how endpoints do, and where models stand", async () => {
  open({ overview: full, phases: { phases: [phase] }, events: { items: [event] } });
  expect(await screen.findByRole("link", { name: /Drift of version 2/ })).toHaveAttribute(
    "href",
    "/p/wine/incidents/in_1",
  );
  expect(screen.getByText("cellar answers for it · limited risk · revision 3 of fairlead.yaml"));
  const endpoints = screen.getByRole("region", { name: "Endpoints" });
  expect(within(endpoints).getByText("open incident")).toBeVisible();
  expect(within(endpoints).getByText("limit 0.25")).toBeVisible();
  expect(within(endpoints).getByText("2 /s")).toBeVisible();
  expect(within(endpoints).getByText("the last hour")).toBeVisible();
  expect(within(endpoints).getByText("4 (0.0556 %)")).toBeVisible();
  expect(within(endpoints).getByText("9 ms")).toBeVisible();
  expect(
    within(endpoints).getByRole("img", {
      name: "Requests to wine@production in the last hour: 7,196",
    }),
  ).toBeVisible();
  const stations = screen.getByLabelText("Stations of the loop");
  expect(within(stations).getByText("Training").closest("li")).toHaveTextContent(
    "wine being made: with a search of settings",
  );
  expect(within(stations).getByText("Incident").closest("li")).toHaveTextContent("wine v2");
  expect(screen.getByText("Beside the loop: 1 model")).toBeInTheDocument();
  expect(screen.getByText("Owner: nobody is named")).toBeVisible();
});

it("shows the first of many endpoints and needs, what presses most at the top", async () => {
  const [wine] = full.endpoints;
  const [need] = full.needs;
  if (!wine || !need) throw new Error("no endpoint");
  const endpoints = Array.from({ length: 12 }, (_, i) => ({
    ...wine,
    endpoint: `wine@region-${i}`,
    health: i === 11 ? "failing" : "healthy",
    ...(i === 11 ? { failure: "the package is gone" } : {}),
  }));
  const needs = Array.from({ length: 7 }, (_, i) => ({
    ...need,
    title: `Drift ${i}`,
    link: { ...need.link, id: `in_${i}` },
  }));
  open({
    overview: { ...full, endpoints, needs },
    phases: { phases: [phase] },
    events: { items: [] },
  });
  const table = await screen.findByRole("group", { name: "How each endpoint does" });
  const rows = () => within(table).getAllByRole("row").slice(1);
  expect(rows()).toHaveLength(8);
  expect(rows()[0]).toHaveTextContent("the package is gone");
  await userEvent.click(screen.getByRole("button", { name: "Show all 12 endpoints" }));
  expect(rows()).toHaveLength(12);
  expect(screen.queryByText("Drift 6")).toBeNull();
  await userEvent.click(screen.getByRole("button", { name: "Show all 7 things" }));
  expect(screen.getByText("Drift 6")).toBeVisible();
});

it("has a table behind the picture", async () => {
  open({ overview: full, phases: { phases: [phase] }, events: { items: [] } });
  await userEvent.click(await screen.findByRole("button", { name: "Show the loop as a list" }));
  const rows = within(screen.getByRole("group", { name: "Models in the loop" })).getAllByRole(
    "row",
  );
  expect(rows.map((r) => r.textContent)).toEqual([
    expect.stringContaining("Model"),
    expect.stringMatching(/wine.*being made.*training/),
    expect.stringMatching(/winev2incident/),
    expect.stringMatching(/oldv1retired/),
  ]);
});

it("says the loop in words", () => {
  const [wine] = full.models;
  if (!wine) throw new Error("no model");
  expect(summary(full)).toEqual({
    head: "wine v2 answers since 2026-03-01 (event time), with 1 open incident",
    lines: ["Now: with a search of settings", "The loop has retrained it once by itself"],
  });
  const two = { ...full, models: [wine, { ...wine, model: "beer" }] };
  expect(summary(two)).toEqual({
    head: "2 models in the loop, 2 of them answer",
    lines: ["2 on the way to a new version", "2 with open incidents"],
  });
  const held = {
    ...wine,
    marks: wine.marks.slice(1),
    held: "the loop is paused: audit",
    paused: true,
  };
  expect(summary({ ...full, models: [held] }).lines[0]).toBe(
    "Retraining waits: the loop is paused: audit",
  );
});
