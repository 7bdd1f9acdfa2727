import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it } from "vitest";
import { mount, refusal } from "../../test/mount";

const p = "/projects/bikes";
const clock = {
  stream: "bikes@production",
  watermark: "2011-03-10T00:00:00Z",
  driven: false,
  mode: "event_time",
  timers: 1,
  next_timer: "2011-03-11T00:00:00Z",
};
const at = (day: number) => `2011-03-0${day}T00:00:00Z`;
const window = (day: number, more: object) => ({
  endpoint: "bikes@production",
  model: "bikes",
  version: 1,
  kind: "drift",
  from: at(day),
  to: at(day + 1),
  state: "green",
  value: 0.1,
  limit: 1,
  rows: 24,
  coverage: 1,
  ...more,
});
const watched = {
  version: 1,
  since: at(1),
  window_ms: 86_400_000,
  label_delay_ms: 0,
  red: "2 of 3",
  then: "alert",
  newest: window(3, {
    state: "red",
    value: 2.5,
    features: [
      { name: "temp", psi: 2.5, limit: 1, red: true, missing: 0, missing_before: 0, outside: 0 },
    ],
  }),
  recent: [1, 2, 3].map((d) => ({
    from: at(d),
    to: at(d + 1),
    version: 1,
    state: d === 3 ? "red" : "green",
    value: 1,
    limit: 1,
  })),
  next: { from: at(4), to: at(5), judged_at: at(5) },
};
const open = {
  id: "in_00000000000000000001",
  endpoint: "bikes@production",
  model: "bikes",
  version: 1,
  kind: "drift",
  action: "alert",
  opened_at: at(4),
  value: 2.5,
  limit: 1,
  reason: "2 of the last 3 windows are red: temp 2.5 (limit 1)",
  cases: [],
  answers: [{ at: at(4), note: "is shown; fairlead.yaml asks for nothing more" }],
};
const standing = {
  endpoint: "bikes@production",
  environment: "production",
  model: "bikes",
  live: 1,
  clock,
  drift: watched,
  incidents: [open],
};
const drift = {
  stretches: [1, 2, 3].map((d) => ({
    from: at(d),
    to: at(d + 1),
    windows: 1,
    reds: d === 3 ? 1 : 0,
    worst: window(d, d === 3 ? { state: "red" } : {}),
  })),
  step_ms: 0,
  windows: 3,
  features: [
    { name: "temp", psi: [0.1, 0.2, 2.5], limit: [1, 1, 1], red: [false, false, true], reds: 1 },
    {
      name: "hum",
      psi: [0.1, null, 0.2],
      limit: [1, null, 1],
      red: [false, false, false],
      reds: 0,
    },
  ],
};
const none = { stretches: [], step_ms: 0, windows: 0, higher_is_better: false };
const distribution = {
  feature: "temp",
  version: 1,
  from: at(3),
  to: at(4),
  psi: 2.5,
  limit: 1,
  red: true,
  usual: 1,
  threshold: 0.2,
  datasets: [{ dataset: "history", n: 1 }],
  reference_rows: 100,
  rows: 20,
  bins: [
    { kind: "range", low: 0, high: 10, reference: 90, window: 1, psi: 0.5 },
    { kind: "above", low: 10, reference: 10, window: 19, psi: 2 },
  ],
};
const endpoint = `${p}/endpoints/bikes@production`;
const pages = {
  [`${endpoint}/monitoring`]: standing,
  [`${endpoint}/drift`]: drift,
  [`${endpoint}/performance`]: none,
  [`${endpoint}/distribution`]: distribution,
  [`${endpoint}/rollouts`]: { items: [] },
  [`${p}/incidents`]: { items: [open] },
};

describe("the list of endpoints", () => {
  it("says how each stands", async () => {
    mount("/p/bikes/monitoring", { [`${p}/monitoring`]: { items: [standing] } });
    const table = await screen.findByRole("group", { name: "How each endpoint stands" });
    expect(within(table).getByText(/temp 2.5, limit 1/)).toBeInTheDocument();
    expect(
      within(table).getByRole("img", { name: /newest 3 windows 1 are red and 0 unknown/ }),
    ).toBeInTheDocument();
    expect(within(table).getByRole("link", { name: "drift" })).toHaveAttribute(
      "href",
      `/p/bikes/incidents/${open.id}`,
    );
    expect(within(table).getByText("not watched")).toBeInTheDocument(); // performance
  });

  it("begins with what needs a look, and says how to watch where nothing is", async () => {
    const calm = { ...standing, endpoint: "a@x", incidents: [], drift: undefined };
    const { answers, router } = mount("/p/bikes/monitoring", {
      [`${p}/monitoring`]: { items: [calm, standing] },
    });
    const table = await screen.findByRole("group", { name: "How each endpoint stands" });
    const rows = within(table).getAllByRole("row");
    expect(rows[1]).toHaveTextContent("bikes@production");
    expect(rows[2]).toHaveTextContent("a@x");
    answers[`${p}/monitoring`] = { items: [calm] };
    await router.options.context.queries.invalidateQueries();
    expect(await screen.findByText("None of these is watched")).toBeInTheDocument();
  });

  it("teaches how to begin", async () => {
    mount("/p/bikes/monitoring", { [`${p}/monitoring`]: { items: [] } });
    expect(await screen.findByText("Nothing is released yet")).toBeInTheDocument();
    expect(screen.getByText("fairlead run")).toBeInTheDocument();
  });

  it("says what went wrong, and tries again", async () => {
    const answers = { [`${p}/monitoring`]: refusal(500, "the disk is gone") as unknown };
    const { asked } = mount("/p/bikes/monitoring", answers);
    expect(await screen.findByText("the disk is gone")).toBeInTheDocument();
    const before = asked.length;
    await userEvent.click(screen.getByRole("button", { name: "Try again" }));
    await waitFor(() => expect(asked.length).toBeGreaterThan(before));
  });

  it("has its layout before there is an answer", async () => {
    mount("/p/bikes/monitoring", { [`${p}/monitoring`]: undefined });
    expect(await screen.findByRole("status", { name: "Loading" })).toBeInTheDocument();
    expect(screen.getByRole("heading", { level: 1, name: "Monitoring" })).toBeInTheDocument();
  });
});

describe("an endpoint", () => {
  it("shows the table behind the map", async () => {
    mount("/p/bikes/monitoring/bikes/production", pages);
    await userEvent.click(
      await screen.findByRole("button", { name: /as a table: 3 windows, 1 red/ }),
    );
    const table = screen.getByRole("group", { name: "Drift of each feature in each window" });
    expect(
      within(table).getByText(/temp: PSI 2.5, limit 1, red; hum: PSI 0.2/),
    ).toBeInTheDocument();
    expect(within(table).getAllByRole("row")).toHaveLength(4);
  });

  it("shows the distribution behind the cell that its address names", async () => {
    const { asked } = mount(
      `/p/bikes/monitoring/bikes/production?feature=temp&at=${encodeURIComponent(at(3))}`,
      pages,
    );
    const table = await screen.findByRole("region", { name: "Distribution of temp" });
    const row = within(table).getByRole("row", { name: /above 10/ });
    expect(within(row).getByText("95 %")).toBeInTheDocument();
    expect(within(row).getByText("10 %")).toBeInTheDocument();
    expect(screen.getByText("usual for windows this short")).toBeInTheDocument();
    expect(asked.some((a) => a.includes("distribution") && a.includes("feature=temp"))).toBe(true);
    await userEvent.click(screen.getByRole("button", { name: "Close" }));
    await waitFor(() =>
      expect(screen.queryByRole("region", { name: "Distribution of temp" })).toBeNull(),
    );
  });

  it("says what to write where performance is not watched", async () => {
    mount("/p/bikes/monitoring/bikes/production", pages);
    expect(await screen.findByText("Performance is not watched")).toBeInTheDocument();
  });

  it("asks for what is within reach", async () => {
    const { asked } = mount("/p/bikes/monitoring/bikes/production?reach=7d", pages);
    await screen.findByRole("heading", { level: 1, name: "bikes@production" });
    await waitFor(() =>
      expect(
        asked.some((a) => a.includes("/drift?") && a.includes("from=2011-03-03T00%3A00%3A00.000Z")),
      ).toBe(true),
    );
  });

  it("finds the cell of its address in wider stretches, and among many features", async () => {
    const many = Array.from({ length: 24 }, (_, i) => ({
      ...drift.features[1],
      name: `input ${i}`,
    }));
    const wide = {
      ...drift,
      step_ms: 3 * 86_400_000,
      stretches: [{ from: at(1), to: at(4), windows: 3, reds: 1, worst: window(3, {}) }],
      features: [...many, drift.features[0]],
    };
    mount(`/p/bikes/monitoring/bikes/production?feature=temp&at=${encodeURIComponent(at(3))}`, {
      ...pages,
      [`${endpoint}/drift`]: wide,
    });
    expect(await screen.findByRole("region", { name: "Distribution of temp" })).toBeInTheDocument();
  });

  it("is zoomed by buttons and by keys, to whole windows, and back", async () => {
    const { asked, router } = mount("/p/bikes/monitoring/bikes/production", pages);
    await screen.findByText("1–3 Mar 2011, event time");
    expect(screen.getByRole("button", { name: "Earlier" })).toBeDisabled();
    await userEvent.click(screen.getByRole("button", { name: "Zoom in" }));
    // The middle half, and the whole of the window that it begins in.
    await waitFor(() =>
      expect(router.state.location.search).toEqual({
        from: at(1),
        to: "2011-03-03T06:00:00.000Z",
      }),
    );
    await waitFor(() =>
      expect(asked.some((a) => a.includes("/drift?") && a.includes("to=2011-03-03T06%3A00"))).toBe(
        true,
      ),
    );
    await userEvent.click(screen.getByRole("button", { name: "Earlier" }));
    await waitFor(() =>
      expect(router.state.location.search).toEqual({
        from: "2011-02-27T12:00:00.000Z",
        to: "2011-03-02T12:00:00.000Z",
      }),
    );
    await userEvent.click(screen.getByRole("radio", { name: "All" }));
    await waitFor(() => expect(router.state.location.search).toEqual({}));
    await userEvent.click(screen.getByRole("radio", { name: "7 d" }));
    await waitFor(() => expect(router.state.location.search).toEqual({ reach: "7d" }));
  });

  it("keeps in sight what it shows while it asks for another time", async () => {
    const { answers } = mount("/p/bikes/monitoring/bikes/production", pages);
    await screen.findByText("3 windows, 1 red");
    answers[`${endpoint}/drift`] = undefined;
    await userEvent.click(screen.getByRole("radio", { name: "7 d" }));
    expect(screen.getByText("3 windows, 1 red")).toBeInTheDocument();
  });

  it("says what answers were worth, in the chart and in the table behind it", async () => {
    const judged = (day: number, worth: number) => ({
      from: at(day),
      to: at(day + 1),
      windows: 1,
      reds: 0,
      worst: window(day, {
        kind: "performance",
        metric: "mae",
        figures: [{ version: 1, value: 0.1, rows: 24, worth }],
      }),
    });
    mount("/p/bikes/monitoring/bikes/production", {
      ...pages,
      [`${endpoint}/performance`]: {
        ...none,
        metric: "mae",
        currency: "EUR",
        windows: 2,
        stretches: [judged(1, 120), judged(2, -20)],
      },
    });
    expect(await screen.findByText("100 EUR")).toBeInTheDocument();
    await userEvent.click(screen.getByRole("button", { name: /as a table: mae/ }));
    const table = screen.getByRole("group", { name: "Realised mae in each window" });
    expect(within(table).getByRole("columnheader", { name: "v1, EUR" })).toBeInTheDocument();
    expect(within(table).getByText("−20")).toBeInTheDocument();
  });

  it("is not found", async () => {
    mount("/p/bikes/monitoring/bikes/nowhere", {});
    expect(await screen.findByText("Not found")).toBeInTheDocument();
  });
});

describe("incidents", () => {
  it("are listed with what the loop did", async () => {
    mount("/p/bikes/incidents", pages);
    expect(
      await screen.findByText("shown; fairlead.yaml asks for nothing more"),
    ).toBeInTheDocument();
    expect(screen.getByText("still open")).toBeInTheDocument();
  });

  it("are filtered by the address", async () => {
    const { asked, router } = mount("/p/bikes/incidents?state=open", pages);
    await screen.findByText("still open");
    expect(asked.some((a) => a.includes("/incidents?state=open"))).toBe(true);
    await userEvent.click(screen.getByRole("radio", { name: "Drift" }));
    await waitFor(() =>
      expect(router.state.location.search).toEqual({ state: "open", kind: "drift" }),
    );
  });

  it("are those of one endpoint, where there are several", async () => {
    const other = { ...standing, endpoint: "bikes@staging" };
    const { asked, router } = mount("/p/bikes/incidents", {
      ...pages,
      [`${p}/monitoring`]: { items: [standing, other] },
    });
    await userEvent.selectOptions(
      await screen.findByRole("combobox", { name: "Endpoint" }),
      "bikes@staging",
    );
    await waitFor(() =>
      expect(router.state.location.search).toEqual({ endpoint: "bikes@staging" }),
    );
    await waitFor(() =>
      expect(asked.some((a) => a.includes("/incidents?endpoint=bikes%40staging"))).toBe(true),
    );
  });

  it("say what is wrong when nothing is known of their endpoint", async () => {
    mount(`/p/bikes/incidents/${open.id}`, {
      [`${p}/incidents/${open.id}`]: open,
      [`${p}/incidents/${open.id}/events`]: { items: [] },
      [`${endpoint}/monitoring`]: refusal(503, "the server is busy"),
    });
    expect(await screen.findByText("the server is busy")).toBeInTheDocument();
  });

  it("teach when there is none", async () => {
    mount("/p/bikes/incidents", { [`${p}/incidents`]: { items: [] } });
    expect(await screen.findByText("There has been no incident")).toBeInTheDocument();
  });

  it("tell their story", async () => {
    mount(`/p/bikes/incidents/${open.id}`, {
      ...pages,
      [`${p}/incidents/${open.id}`]: open,
      [`${p}/incidents/${open.id}/events`]: {
        items: [
          {
            seq: 1,
            id: "ev_1",
            type: "incident.opened",
            time_ms: 1_700_000_000_000,
            at_ms: Date.parse(at(4)),
            text: "",
            body: { kind: "drift", reason: open.reason },
          },
        ],
      },
    });
    const story = await screen.findByRole("list", { name: "What the loop did" });
    const told = within(story)
      .getAllByRole("listitem")
      .map((li) => li.textContent);
    expect(told[0]).toContain("The incident opened: drift");
    expect(told[1]).toContain("The loop: shown; fairlead.yaml asks for nothing more");
    expect(await screen.findByText("fairlead loop explain bikes")).toBeInTheDocument();
  });
});

const one = {
  id: "ca_00000000000000000001",
  model: "bikes",
  state: "closed",
  outcome: "stopped",
  cause: "incident",
  incident: open.id,
  spec_revision: 1,
  commit: "545a4e767e66c517c5710f2211ceca4026693317",
  search: false,
  opened_at: at(4),
  closed_at: at(4),
  version: 2,
  decision: "dec_1",
  inputs: { history: { dataset: "history", n: 1 } },
  reason: "the gate stopped it: better-than-live",
};
const advance = (seq: number, state: string, type = "case.advanced") => ({
  seq,
  id: `ev_${seq}`,
  type,
  time_ms: 1_700_000_000_000 + seq * 1000,
  at_ms: Date.parse(at(4)),
  text: "",
  body: { case: one.id, state, outcome: state === "closed" ? "stopped" : "", reason: "" },
});
const loop = {
  model: "bikes",
  at: at(4),
  paused: false,
  clock,
  recent: [],
  retrains: 1,
  failures_in_a_row: 1,
  held: "the cooldown lasts until 2011-03-25T00:00:00Z",
  note: `incident ${open.id} (drift): retraining`,
  explanation: [],
};

describe("cases", () => {
  const answers = {
    [`${p}/cases`]: { items: [one] },
    [`${p}/cases/${one.id}`]: one,
    [`${p}/cases/${one.id}/events`]: {
      items: [
        advance(1, "collecting", "case.opened"),
        advance(2, "training"),
        advance(4, "packaging"),
        advance(5, "gating"),
        advance(9, "closed", "case.closed"),
      ],
    },
    [`${p}/decisions/dec_1`]: {
      decision: {
        id: "dec_1",
        model: "bikes",
        result: "stopped",
        at: at(4),
        created: at(4),
        checks: [
          {
            name: "better-than-live",
            state: "red",
            check: "candidate.mae <= live.mae",
            message: "false",
            values: {
              "candidate.mae": { type: "double", value: 2.5 },
              "live.mae": { type: "double", value: 2 },
            },
          },
        ],
      },
      replayed: false,
      text: "",
    },
    [`${p}/monitoring`]: { items: [standing] },
    [`${p}/loop/bikes`]: loop,
  };

  it("are listed with what the loop does", async () => {
    mount("/p/bikes/cases", answers);
    expect(await screen.findByText("the gate stopped it: better-than-live")).toBeInTheDocument();
    expect(
      await screen.findByText(
        "would start no retraining: the cooldown lasts until 2011-03-25 00:00",
      ),
    ).toBeInTheDocument();
    expect(screen.getByText("at once")).toBeInTheDocument();
  });

  it("of many models do not ask what each loop does, before one is chosen", async () => {
    const items = ["a", "b", "c", "bikes"].map((model) => ({ ...one, id: `ca_${model}`, model }));
    const { asked } = mount("/p/bikes/cases", { ...answers, [`${p}/cases`]: { items } });
    await screen.findByText("Choose a model to see what its loop does.");
    expect(asked.filter((a) => a.includes("/loop/"))).toEqual([]);
    await userEvent.selectOptions(screen.getByRole("combobox", { name: "Model" }), "bikes");
    expect(await screen.findByText("The loop of bikes")).toBeInTheDocument();
    expect(asked.some((a) => a.includes("/cases?model=bikes"))).toBe(true);
  });

  it("are told step by step, with the gate's operands", async () => {
    mount(`/p/bikes/cases/${one.id}`, answers);
    const gate = await screen.findByRole("group", { name: "Checks of dec_1" });
    expect(within(gate).getByText("candidate.mae").nextSibling).toHaveTextContent("2.5");
    const steps = within(screen.getByRole("region", { name: "Steps" })).getAllByRole("listitem");
    expect(steps.map((s) => s.textContent)).toEqual([
      "Datadone1 s",
      "Trainingdone2 s",
      "Packagedone1 s",
      "Gateended here4 s",
      "Releasenot reached",
    ]);
  });

  it("are paused after a question, and say what the server refuses", async () => {
    const { asked } = mount("/p/bikes/cases", {
      ...answers,
      [`${p}/loop/bikes/pause`]: refusal(409, "somebody else paused it"),
    });
    await waitFor(() =>
      expect(screen.getByRole("button", { name: "Pause the loop" })).not.toHaveAttribute(
        "aria-disabled",
      ),
    );
    await userEvent.click(screen.getByRole("button", { name: "Pause the loop" }));
    const dialog = await screen.findByRole("dialog");
    expect(within(dialog).getByText(/Incidents will open no cases/)).toBeInTheDocument();
    await userEvent.type(within(dialog).getByRole("textbox", { name: "Reason" }), "audit");
    await userEvent.click(within(dialog).getByRole("button", { name: "Pause the loop" }));
    expect(await within(dialog).findByText("somebody else paused it")).toBeInTheDocument();
    expect(asked).toContain(`PUT ${p}/loop/bikes/pause`);
  });

  it("cannot be paused by who may not, who is told why", async () => {
    mount("/p/bikes/cases", {
      ...answers,
      [`${p}/permissions`]: { items: ["read"], otherwise: "Sign in as an operator." },
    });
    const button = await screen.findByRole("button", { name: "Pause the loop" });
    await waitFor(() => expect(button).toHaveAccessibleDescription("Sign in as an operator."));
  });
});
