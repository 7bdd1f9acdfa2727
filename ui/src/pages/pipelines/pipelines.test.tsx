import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { PipelineGraph, PipelineRun, PipelineStep, PipelineTry } from "../../data/pipelines";
import { mount, refusal } from "../../test/mount";

const at = (s: number) => new Date(Date.UTC(2026, 0, 2, 3, 4, s)).toISOString();

const none = { running: 0, succeeded: 0, cached: 0, failed: 0, cancelled: 0 };

const run: PipelineRun = {
  id: "pr_1",
  model: "m",
  spec_revision: 1,
  commit: "0123456789abcdef",
  case: "ca_1",
  cause: "incident",
  inputs: {},
  holdout: { dataset: "", n: 0 },
  job: "job_1",
  state: "succeeded",
  reason: "threshold reached: validation.auc 0.91 >= 0.9 at try 2 of 3",
  experiment_id: "7",
  winner: 2,
  version: 4,
  value: 0.91,
  goal: { metric: "validation.auc", lower: false, at_least: 0.9 },
  steps: { planned: 7, running: 0, succeeded: 3, cached: 1, failed: 1, cancelled: 0 },
  nodes: [
    { ...none, node: "prepare", planned: 1, cached: 1 },
    { ...none, node: "train", planned: 3, succeeded: 700, failed: 300 },
    { ...none, node: "evaluate", planned: 3, succeeded: 1 },
  ],
  created_at: at(0),
  started_at: at(0),
  finished_at: at(20),
};

const step = (name: string, n: number, more: Partial<PipelineStep> = {}): PipelineStep => ({
  id: `st_${name}_${n}`,
  name,
  try: n,
  state: "succeeded",
  key: "k",
  queued_at: at(1),
  started_at: at(3),
  finished_at: at(5),
  ...more,
});

const steps = [
  step("prepare", 0, { state: "cached", from: "st_x", started_at: at(1), finished_at: at(1) }),
  step("train", 1, { state: "failed", error: "step train failed with exit status 1" }),
  step("train", 2),
  step("evaluate", 2),
];

const node = (id: string, part: "shared" | "try" | "refit", out: string[]) => ({
  id,
  step: id,
  part,
  command: `sh ${id}.sh`,
  in: [],
  out,
  cache: true,
});

const graph: PipelineGraph = {
  nodes: [
    node("prepare", "shared", ["table"]),
    node("train", "try", ["model"]),
    node("evaluate", "try", []),
  ],
  edges: [
    { from: "rows", to: "prepare", name: "rows", data: true },
    { from: "prepare", to: "train", name: "table" },
    { from: "train", to: "evaluate", name: "model" },
  ],
  data: [{ name: "rows", ref: { dataset: "rows", n: 3 } }],
  tries: 3,
  over: [{ step: "train", param: "depth", values: [1, 2, 3] }],
  concurrency: 2,
  model: "model",
  ...(run.goal && { goal: run.goal }),
};

const tried = (n: number, value: number, depth: number): PipelineTry => ({
  n,
  state: "succeeded",
  params: { train: { depth } },
  run_id: `run${n}`,
  value,
  metrics: { "validation.auc": value, loss: 1 - value },
  steps: 2,
  cached: 0,
  started_at: at(1),
  finished_at: at(4),
});

const whys = [
  { run: "pr_1", step: "prepare", try: 0, state: "cached", from: "pr_0", changes: [] },
  {
    run: "pr_1",
    step: "train",
    try: 1,
    state: "failed",
    previous: "pr_0",
    changes: [
      { part: "param", name: "depth", old: "1", new: "2" },
      { part: "code", name: "train.py", old: "", new: "abc" },
    ],
  },
];

const why = (n: number) => whys.find((w) => w.try === n) ?? {};

const log = {
  text: "\x1b[31mbad\x1b[0m things\nmore bad\n",
  skipped: 0,
  next: 30,
  end: 30,
  attempt: 1,
  attempts: 1,
  done: true,
};

const page = (items: object[]) => ({ items });
const aRun: Record<string, unknown> = {
  "/pipeline-runs/pr_1": run,
  "/pipeline-runs/pr_1/graph": graph,
  "/pipeline-runs/pr_1/steps": page(steps),
  "/pipeline-runs/pr_1/why": page(whys),
  "/pipeline-runs/pr_1/tries": page([tried(2, 0.91, 2), tried(1, 0.8, 1)]),
  "/pipeline-runs/pr_1/steps/train@1/why": why(1),
  "/pipeline-runs/pr_1/steps/train@1/log": log,
  "/pipeline-runs/pr_1/steps/train@2/log": { ...log, text: "good\n" },
};

/** Opens an address in the project p, of which the server answers so by path. */
function open(address: string, answers: Record<string, unknown>) {
  const below = Object.entries(answers).map(([path, said]) => [`/projects/p${path}`, said]);
  return mount(`/p/p/${address}`, {
    "/projects/p/permissions": { items: ["read", "run"], otherwise: "" },
    ...(Object.fromEntries(below) as Record<string, unknown>),
  });
}

/** A button once it is known whether the reader may use it. */
async function allowed(name: string): Promise<HTMLElement> {
  const button = () => screen.getByRole("button", { name });
  await waitFor(() => expect(button()).not.toHaveAttribute("aria-disabled"));
  return button();
}

/** Sees no change of a size. */
class Still {
  observe(): void {
    // sizes do not change
  }
  unobserve = this.observe.bind(this);
  disconnect = this.observe.bind(this);
}

// Virtual rows are drawn as far as there is room, and there is none in a test.
beforeEach(() => {
  vi.stubGlobal("ResizeObserver", Still);
  vi.spyOn(HTMLElement.prototype, "clientHeight", "get").mockReturnValue(600);
  vi.spyOn(HTMLElement.prototype, "clientWidth", "get").mockReturnValue(1000);
});

describe("the list", () => {
  it("shows the runs with what came of them", async () => {
    open("pipelines", { "/pipeline-runs": page([run]) });
    const link = await screen.findByRole("link", { name: "pr_1" });
    const row = within(link.closest("tr") as HTMLElement);
    expect(row.getByText("succeeded")).toBeVisible();
    expect(row.getByRole("link", { name: "an incident" })).toHaveAttribute(
      "href",
      "/p/p/cases/ca_1",
    );
    expect(row.getByText("5 steps, 25 % cached")).toBeVisible();
    expect(row.getByText("0.91")).toBeVisible();
    expect(row.getByText("20 s")).toBeVisible();
  });

  it("says of a run that goes on how far it is, and of a re-run what it is one of", async () => {
    const goes: Partial<PipelineRun> = {
      id: "pr_2",
      state: "running",
      rerun_of: "pr_1",
      rerun_from: "train",
      progress: "running train",
      steps: { planned: 7, running: 1, succeeded: 2, cached: 1, failed: 0, cancelled: 0 },
    };
    open("pipelines", { "/pipeline-runs": page([{ ...run, ...goes }]) });
    expect(await screen.findByText("3 of 7 steps")).toBeVisible();
    expect(screen.getByText("running train")).toBeVisible();
    expect(screen.getByRole("link", { name: "another run" })).toHaveAttribute(
      "href",
      "/p/p/pipelines/pr_1",
    );
  });

  it("teaches how to begin where there is none", async () => {
    open("pipelines", { "/pipeline-runs": page([]), "/overview": { revision: 1 } });
    expect(await screen.findByText("No pipeline has run yet")).toBeVisible();
    expect(screen.getByLabelText("command")).toHaveTextContent(/^fairlead run$/);
  });

  it("teaches how a project gets its file where there is none", async () => {
    open("pipelines", { "/pipeline-runs": page([]), "/overview": {} });
    expect(await screen.findByText(/No fairlead.yaml was applied here/)).toBeVisible();
    expect(screen.getByLabelText("command")).toHaveTextContent(
      "fairlead init --git && fairlead run",
    );
  });

  it("narrows by a state, which the address carries", async () => {
    const { asked, router } = open("pipelines", { "/pipeline-runs": page([]) });
    await userEvent.click(await screen.findByText("Failed"));
    expect(await screen.findByText("No run is failed")).toBeVisible();
    expect(router.state.location.search).toEqual({ state: "failed" });
    expect(asked.some((call) => call.includes("state=failed"))).toBe(true);
  });

  it("waits with a skeleton", async () => {
    open("pipelines", { "/pipeline-runs": undefined });
    expect(await screen.findByRole("status", { name: "Loading" })).toBeVisible();
  });

  it("says what failed", async () => {
    open("pipelines", { "/pipeline-runs": refusal(500, "the disk is broken") });
    expect(await screen.findByRole("alert")).toHaveTextContent("the disk is broken");
    expect(screen.getByRole("button", { name: "Try again" })).toBeVisible();
  });

  it("reads older runs when asked to", async () => {
    open("pipelines", {
      "/pipeline-runs": { items: [run], next: "n" },
      "/pipeline-runs?limit=50&page=n": page([{ ...run, id: "pr_0" }]),
    });
    await userEvent.click(await screen.findByRole("button", { name: "Show older runs" }));
    expect(await screen.findByRole("link", { name: "pr_0" })).toBeVisible();
  });

  it("starts a run after saying what that means", async () => {
    const { asked } = open("pipelines", {
      "/pipeline-runs": page([run]),
      "": { revision: 3, commit: "fedcba9876543210", applied_at: at(0), spec: {} },
      "/cases": { id: "ca_9", state: "collecting" },
    });
    await userEvent.click(await allowed("Start a run"));
    const dialog = within(await screen.findByRole("dialog", { name: "Start a run" }));
    expect(await dialog.findByText("fedcba987654")).toBeVisible();
    expect(dialog.getByText(/releases what passes/)).toBeVisible();
    expect(posts(asked)).toEqual([]);
    await userEvent.click(dialog.getByRole("button", { name: "Start the run" }));
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    expect(posts(asked)).toEqual(["POST /projects/p/cases"]);
  });

  it("says why a reader may not start one", async () => {
    open("pipelines", {
      "/permissions": { items: ["read"], otherwise: "ask the owner" },
      "/pipeline-runs": page([run]),
    });
    const button = await screen.findByRole("button", { name: "Start a run" });
    await waitFor(() => expect(button).toHaveAttribute("aria-description", "ask the owner"));
    await userEvent.click(button);
    expect(screen.queryByRole("dialog")).toBeNull();
  });
});

/** What was asked for that changes something. */
function posts(asked: string[]): string[] {
  return asked.filter((call) => call.startsWith("POST"));
}

describe("a run", () => {
  it("shows what failed, with its log", async () => {
    open("pipelines/pr_1", aRun);
    const panel = within(await screen.findByRole("region", { name: "Step train, try 1" }));
    expect(panel.getByText("step train failed with exit status 1")).toBeVisible();
    expect(await panel.findByText("2 lines, 30 B")).toBeVisible();
    expect(panel.getByText("more bad")).toBeVisible();
    expect(screen.getByText(/Threshold reached/)).toBeVisible();
  });

  it("shows over time how long each step waited and ran, and why", async () => {
    const { router } = open("pipelines/pr_1?view=timeline", aRun);
    const row = await screen.findByRole("row", { name: /^train, try 2/ });
    const cells = within(row).getAllByRole("cell");
    expect(cells.slice(0, 4).map((c) => c.textContent)).toEqual(["succeeded", "", "2 s", "2 s"]);
    const failed = screen.getByRole("row", { name: /^train, try 1/ });
    expect(
      await within(failed).findByText("The param depth and the code train.py are new"),
    ).toBeVisible();
    const cached = screen.getByRole("row", { name: /^prepare/ });
    expect(within(cached).getByText("not run")).toBeVisible();
    await userEvent.click(screen.getByRole("button", { name: "train, try 2" }));
    expect(router.state.location.search).toEqual({ view: "timeline", step: "train@2" });
    expect(await screen.findByRole("region", { name: "Step train, try 2" })).toBeVisible();
  });

  it("lists the tries, the winner marked, and says why they ended", async () => {
    open("pipelines/pr_1?view=tries", aRun);
    const table = within(await screen.findByRole("group", { name: "Tries" }));
    const rows = table.getAllByRole("row").slice(1);
    expect(rows.map((r) => within(r).getAllByRole("cell")[0]?.textContent)).toEqual([
      "2 winner",
      "1",
    ]);
    expect(table.getByRole("link", { name: "run run2" })).toHaveAttribute(
      "href",
      "/p/p/experiments/7/runs/run2",
    );
    const order = table.getByRole("button", { name: "train.depth" });
    await userEvent.click(order);
    await userEvent.click(order);
    expect(within(table.getAllByRole("row")[1] as HTMLElement).getByText("0.8")).toBeVisible();
    expect(screen.getByText("Why it stopped:").parentElement).toHaveTextContent(
      "Threshold reached: validation.auc 0.91 >= 0.9 at try 2 of 3",
    );
  });

  it("counts the steps of its graph by what the server has, not by the list's first page", async () => {
    open("pipelines/pr_1", aRun);
    await userEvent.click(
      await screen.findByRole("button", { name: "Show as a table: From the data to the version" }),
    );
    const table = within(screen.getByRole("group", { name: "Steps of the graph" }));
    expect(
      table.getByRole("row", { name: /^train succeeded 1,000 of 3 tries, 300 failed/ }),
    ).toBeVisible();
    expect(table.getByRole("row", { name: /^prepare cached from the cache/ })).toBeVisible();
  });

  it("asks for a step that the list has not come to", async () => {
    open("pipelines/pr_1?step=evaluate@3", {
      ...aRun,
      "/pipeline-runs/pr_1/steps/evaluate@3": {
        ...step("evaluate", 3),
        ...{
          run_id: "r",
          attempts: 1,
          command: "",
          params: {},
          inputs: [],
          code: "",
          platform: "",
        },
      },
      "/pipeline-runs/pr_1/steps/evaluate@3/log": { ...log, text: "of try 3\n" },
    });
    expect(await screen.findByRole("region", { name: "Step evaluate, try 3" })).toBeVisible();
    expect(await screen.findByText("of try 3")).toBeVisible();
  });

  it("says that there is no such step, and shows no other one", async () => {
    open("pipelines/pr_1?step=evaluate@9", {
      ...aRun,
      "/pipeline-runs/pr_1/steps/evaluate@9": refusal(404, "evaluate@9 has not begun"),
    });
    expect(await screen.findByText("evaluate@9 has not begun")).toBeVisible();
    expect(screen.queryByRole("region", { name: /^Step / })).toBeNull();
  });

  it("leads from a try to the step that it has come to", async () => {
    const { router } = open("pipelines/pr_1?view=tries", {
      ...aRun,
      "/pipeline-runs/pr_1/steps/evaluate@2/log": log,
    });
    await userEvent.click(await screen.findByRole("button", { name: "2" }));
    expect(router.state.location.search).toEqual({ view: "tries", step: "evaluate@2" });
  });

  it("offers to release what a re-run made, as long as nobody has asked for it", async () => {
    const again = { ...run, rerun_of: "pr_0", rerun_from: "train" };
    const made = { model: "m", n: 4, state: "ready", aliases: [] as string[] };
    const answers = { ...aRun, "/pipeline-runs/pr_1": again, "/models/m/versions/4": made };
    const { unmount } = open("pipelines/pr_1", answers);
    expect(await screen.findByText("fairlead release m 4")).toBeVisible();
    await userEvent.click(await allowed("Make it the candidate"));
    expect(
      await screen.findByRole("dialog", { name: "Make version 4 the candidate?" }),
    ).toBeVisible();
    unmount();
    made.aliases = ["candidate"];
    open("pipelines/pr_1", answers);
    expect(await screen.findByText(/another run/)).toBeVisible();
    await screen.findByRole("region", { name: "Step train, try 1" });
    expect(screen.queryByText("fairlead release m 4")).toBeNull();
  });

  it("says what of a step's key is new", async () => {
    open("pipelines/pr_1?step=train@1&part=why", aRun);
    const table = within(await screen.findByRole("region", { name: "What is new" }));
    expect(table.getByRole("row", { name: "The param depth 1 2" })).toBeVisible();
    expect(table.getByRole("row", { name: "The code train.py none abc" })).toBeVisible();
    expect(screen.getByRole("link", { name: "pr_0" })).toBeVisible();
  });

  it("runs again from a step after saying what that means", async () => {
    const { sent, router } = open("pipelines/pr_1?step=train@2", {
      ...aRun,
      "/pipeline-runs/pr_1/rerun": { ...run, id: "pr_2", state: "queued" },
      "/pipeline-runs/pr_2": { ...run, id: "pr_2" },
      "/pipeline-runs/pr_2/graph": graph,
      "/pipeline-runs/pr_2/steps": page([]),
      "/pipeline-runs/pr_2/why": page([]),
    });
    await userEvent.click(await allowed("Run again from here"));
    const dialog = within(await screen.findByRole("dialog"));
    expect(dialog.getByText(/^train, evaluate run again, of try 2/)).toBeVisible();
    expect(dialog.getByText("fairlead rerun train@2 --run pr_1")).toBeVisible();
    expect(sent).toEqual([]);
    await userEvent.click(dialog.getByRole("button", { name: "Run again" }));
    await screen.findByRole("heading", { name: "pr_2" });
    expect(router.state.location.pathname).toBe("/p/p/pipelines/pr_2");
    expect(sent).toEqual([
      {
        method: "POST",
        path: "/projects/p/pipeline-runs/pr_1/rerun",
        body: { from: "train@2" },
      },
    ]);
  });

  it("shows the server's words when that is refused", async () => {
    open("pipelines/pr_1", {
      ...aRun,
      "/pipeline-runs/pr_1/rerun": refusal(409, "run pr_1 is running; wait"),
    });
    await userEvent.click(await allowed("Run again from a step"));
    const dialog = within(await screen.findByRole("dialog"));
    await userEvent.click(dialog.getByRole("button", { name: "Run again" }));
    expect(await dialog.findByText("run pr_1 is running; wait")).toBeVisible();
  });

  it("is cancelled only after a question, and not run again while it goes on", async () => {
    const { asked } = open("pipelines/pr_1", {
      ...aRun,
      "/pipeline-runs/pr_1": { ...run, state: "running" },
      "/pipeline-runs/pr_1/cancel": {},
    });
    await userEvent.click(await allowed("Cancel the run"));
    const dialog = within(await screen.findByRole("dialog", { name: "Cancel this run?" }));
    expect(posts(asked)).toEqual([]);
    await userEvent.click(dialog.getByRole("button", { name: "Cancel the run" }));
    expect(posts(asked)).toEqual(["POST /projects/p/pipeline-runs/pr_1/cancel"]);
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    expect(screen.getByRole("button", { name: "Run again from here" })).toHaveAttribute(
      "aria-description",
      expect.stringContaining("cancel it first"),
    );
  });

  it("says that there is no such run", async () => {
    open("pipelines/pr_9", {});
    expect(await screen.findByText("Not found")).toBeVisible();
  });

  it("waits for the first step", async () => {
    open("pipelines/pr_1?view=timeline", {
      ...aRun,
      "/pipeline-runs/pr_1": {
        ...run,
        state: "running",
        progress: "building the Python environment: numpy",
      },
      "/pipeline-runs/pr_1/steps": page([]),
      "/pipeline-runs/pr_1/why": page([]),
    });
    expect(await screen.findByText("No step has begun yet")).toBeVisible();
    expect(screen.getAllByText(/building the Python environment: numpy/)).not.toHaveLength(0);
  });
});

describe("a log", () => {
  const path = "/pipeline-runs/pr_1/steps/train@1/log";

  it("counts what is searched for, and steps through it", async () => {
    open("pipelines/pr_1?step=train@1", aRun);
    const field = await screen.findByRole("searchbox", { name: "Search the log" });
    await userEvent.type(field, "BAD");
    expect(await screen.findByText("1 of 2")).toBeVisible();
    await userEvent.type(field, "{Enter}");
    expect(await screen.findByText("2 of 2")).toBeVisible();
    await userEvent.type(field, "{Enter}");
    expect(await screen.findByText("1 of 2")).toBeVisible();
    screen.getByRole("region", { name: "Log of train@1" }).focus();
    await userEvent.keyboard("N");
    expect(await screen.findByText("2 of 2")).toBeVisible();
    await userEvent.clear(field);
    await userEvent.type(field, "good");
    expect(await screen.findByText("none")).toBeVisible();
  });

  it("says that a step printed nothing", async () => {
    open("pipelines/pr_1?step=train@1", { ...aRun, [path]: { ...log, text: "", next: 0, end: 0 } });
    expect(await screen.findByText("It printed nothing")).toBeVisible();
  });

  it("says what failed, in the server's words", async () => {
    const gone = refusal(410, "the log is not kept");
    open("pipelines/pr_1?step=train@1", { ...aRun, [path]: gone });
    expect(await screen.findByText("the log is not kept")).toBeVisible();
  });
});
