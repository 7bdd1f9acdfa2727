import { act, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { dismiss, toasts } from "../../components/toast";
import { mount, refusal, type Answers } from "../../test/mount";
import { experiment, run } from "./fixtures";

// The window of the table; happy-dom lays nothing out.
beforeEach(() => {
  vi.spyOn(HTMLElement.prototype, "clientHeight", "get").mockReturnValue(600);
  vi.spyOn(HTMLElement.prototype, "clientWidth", "get").mockReturnValue(1400);
  return () => toasts.read().forEach((t) => dismiss(t.id));
});

const p = "/projects/bikes";
const sum = { runs: 2, min: 0.5, max: 0.75, mean: 0.625, best: 0.75 };
const column = (kind: string, key: string, name: string) => ({ kind, key, name });

/** A server with these rows on the first level, and one below the run "p". */
function server(rows: ReturnType<typeof run>[], more: Answers = {}): Answers {
  const page = (of: object[]) => ({
    snapshot: `s${rows.length}`,
    offset: 0,
    total: of.length,
    runs: rows.length + 1,
    newer: 0,
    rows: of,
  });
  return {
    [`${p}/permissions`]: { items: ["read", "track"], otherwise: "" },
    [`${p}/experiments/1`]: experiment,
    [`${p}/run-columns`]: { items: [], total: 0 },
    [`${p}/run-columns?experiment=1&limit=8&kind=metric&common=true`]: {
      items: [column("metric", "auc", "metrics.auc")],
      total: 1,
    },
    [`${p}/run-columns?experiment=1&limit=6&kind=parameter&common=true`]: {
      items: [column("parameter", "depth", "params.depth")],
      total: 1,
    },
    [`${p}/run-table`]: ({ under }: Record<string, string>) =>
      page(under === "p" ? [run("below")] : rows),
    [`${p}/run-filter`]: { want: "key", from: 0, to: 0, options: [] },
    ...more,
  };
}

const three = [run("a"), run("b", { metrics: {} }), run("c", { status: "RUNNING" })];
const open = (answers: Answers, search = "") => mount(`/p/bikes/experiments/1${search}`, answers);
const grid = () => screen.findByRole("grid", { name: "Runs" });
/** The row of something in a pinned cell, which it owns. */
const rowOf = (pinned: HTMLElement) => {
  const cell = pinned.closest('[role="gridcell"]');
  return document.querySelector(`[aria-owns~="${cell?.id}"]`) as HTMLElement;
};
const cell = async (name: string) => rowOf(await screen.findByRole("link", { name }));
/** The pinned cells of a run: its box and name. */
const pins = async (name: string) =>
  (await screen.findByRole("link", { name })).closest("[data-index]") as HTMLElement;

describe("the table of runs", () => {
  it("has bones where rows will be", async () => {
    open(server(three, { [`${p}/run-table`]: undefined }));
    const rows = within(await grid()).getAllByRole("row");
    expect(rows[1]).toHaveAttribute("aria-busy", "true");
    expect(screen.getByText("Loading")).toBeInTheDocument();
  });
  it("shows the runs with their values, and where they lead", async () => {
    open(server(three));
    expect(await screen.findByRole("link", { name: "run a" })).toHaveAttribute(
      "href",
      "/p/bikes/experiments/1/runs/a",
    );
    expect(within(await cell("run a")).getByText("0.9123")).toBeInTheDocument();
    expect(within(await cell("run a")).getByText("6")).toBeInTheDocument();
    expect(within(await pins("run c")).getByRole("img", { name: "running" })).toBeInTheDocument();
    expect(await grid()).toHaveAttribute("aria-rowcount", "4");
    expect(screen.getByText("4 runs")).toBeInTheDocument();
  });
  it("teaches how to log the first run", async () => {
    open(server([]));
    expect(await screen.findByText("No runs yet")).toBeInTheDocument();
    expect(screen.getByText(/mlflow.start_run/)).toBeInTheDocument();
  });
  it("says that a filter finds none, and clears it", async () => {
    const { router } = open(server([]), "?q=metrics.auc+%3E+2");
    expect(await screen.findByText("No run is found by this filter")).toBeInTheDocument();
    const [, clear] = screen.getAllByRole("button", { name: "Clear the filter" });
    await userEvent.click(clear as HTMLElement);
    await waitFor(() => expect(router.state.location.search).toEqual({}));
  });
  it("says what failed instead of bones, and tries again", async () => {
    const { answers } = open(
      server(three, { [`${p}/run-table`]: refusal(503, "the disk is full") }),
    );
    expect(await screen.findByText("the disk is full")).toBeInTheDocument();
    expect(document.querySelector('[aria-busy="true"]')).toBeNull();
    answers[`${p}/run-table`] = server(three)[`${p}/run-table`];
    await userEvent.click(screen.getByRole("button", { name: "Try again" }));
    expect(await screen.findByRole("link", { name: "run a" })).toBeInTheDocument();
  });
  it("does not offer to try a wrong filter again", async () => {
    open(
      server(three, { [`${p}/run-table`]: refusal(400, "Expected a number") }),
      "?q=metrics.auc+>",
    );
    expect(await screen.findByText("Expected a number")).toBeInTheDocument();
    expect(screen.queryByRole("button", { name: "Try again" })).toBeNull();
  });

  it("tells of a parent how the runs below did, and opens it", async () => {
    open(server([run("p", { metrics: {}, children: 1, below: { auc: sum } }), ...three]));
    expect(within(await cell("run p")).getByText("0.75")).toHaveTextContent("0.75best");
    await userEvent.click(screen.getByRole("button", { name: "Rows below run p" }));
    expect(await screen.findByRole("link", { name: "run below" })).toBeInTheDocument();
    expect(await grid()).toHaveAttribute("aria-rowcount", "6");
    await userEvent.click(screen.getByRole("button", { name: "Rows below run p" }));
    await waitFor(() => expect(screen.queryByRole("link", { name: "run below" })).toBeNull());
  });
  it("sums up groups, and keeps the sums while it scrolls", async () => {
    const group = (value: string | null, runs: number, metrics = {}) => ({
      values: [value],
      runs,
      running: 0,
      newest_ms: 1e12,
      metrics,
    });
    const answer = (metrics: object) => ({
      groups: [group("6", 2, metrics), group(null, 1)],
      total: 2,
      runs: 3,
    });
    open(
      server(three, {
        [`${p}/run-groups`]: ({ select }: Record<string, string>) =>
          answer(select === "metrics.auc" ? { auc: sum } : {}),
      }),
      "?by=%5B%22params.depth%22%5D",
    );
    const head = rowOf(await screen.findByText("2 runs"));
    expect(await within(head).findByText("0.625")).toHaveTextContent("0.625mean");
    expect(screen.getByText("not set")).toBeInTheDocument();
    expect(screen.getByText("3 runs in 2 groups", { exact: false })).toBeInTheDocument();
    await userEvent.click(screen.getByRole("button", { name: "Rows below depth 6" }));
    expect(await screen.findByRole("link", { name: "run a" })).toBeInTheDocument();
    await userEvent.click(screen.getByRole("checkbox", { name: "Select all of depth 6" }));
    expect(await screen.findByText("3 runs selected")).toBeInTheDocument();
  });
});

describe("the filter", () => {
  it("puts in only what was offered for what is typed", async () => {
    const user = userEvent.setup();
    let answer: ((said: Response) => void) | undefined;
    const offer = (text: string, to: number) => ({
      want: "key",
      from: 0,
      to,
      options: [{ text, kind: "metric" }],
    });
    open(
      server(three, {
        [`${p}/run-filter`]: ({ filter }: Record<string, string>) =>
          filter
            ? new Promise<Response>((done) => {
                answer = done;
              })
            : offer("metrics.auc", 0),
      }),
    );
    await cell("run a");
    const field = screen.getByRole("combobox", { name: "Filter the runs" });
    await user.click(field);
    await screen.findByRole("option", { name: /metrics.auc/ });
    await user.type(field, "lo");
    await waitFor(() => expect(answer).toBeDefined());
    await user.keyboard("{ArrowDown}");
    expect(screen.queryByRole("option", { selected: true })).toBeNull();
    await user.click(screen.getByRole("option"));
    expect(field).toHaveValue("lo");
    answer?.(Response.json(offer("metrics.loss", 2)));
    await screen.findByRole("option", { name: /metrics.loss/ });
    await user.keyboard("{ArrowDown}{Enter}");
    expect(field).toHaveValue("metrics.loss ");
    await user.keyboard("> 0.125 AND");
    expect(field).toHaveValue("metrics.loss > 0.125 AND");
  });
  it("holds nobody who passes by with Tab, or has taken what was offered", async () => {
    const offer = {
      want: "key",
      from: 0,
      to: 2,
      options: [{ text: "metrics.loss", kind: "metric" }],
    };
    open(server(three, { [`${p}/run-filter`]: offer }), "?q=lo");
    await cell("run a");
    const field = screen.getByRole("combobox", { name: "Filter the runs" });
    act(() => field.focus());
    await screen.findByRole("option", { name: /metrics.loss/ });
    await userEvent.keyboard("{Tab}");
    expect(field).not.toHaveFocus();
    expect(field).toHaveValue("lo");
    await userEvent.keyboard("{Shift>}{Tab}{/Shift}");
    expect(field).toHaveFocus();
    await userEvent.keyboard("{Control>}a{/Control}lo");
    await screen.findByRole("option", { name: /metrics.loss/ });
    await waitFor(async () => {
      await userEvent.keyboard("{ArrowDown}");
      expect(screen.getByRole("option", { selected: true })).toBeVisible();
    });
    await userEvent.keyboard("{Tab}");
    expect(field).toHaveValue("metrics.loss ");
    await userEvent.keyboard("{Tab}");
    expect(field).not.toHaveFocus();
  });
  it("has the cursor behind what it put in before the next key, however late frames are", async () => {
    const user = userEvent.setup();
    const offer = {
      want: "key",
      from: 0,
      to: 2,
      options: [{ text: "metrics.loss", kind: "metric" }],
    };
    open(server(three, { [`${p}/run-filter`]: offer }));
    await cell("run a");
    const field = screen.getByRole<HTMLInputElement>("combobox", { name: "Filter the runs" });
    await user.type(field, "lo AND x");
    const frames = vi.spyOn(globalThis, "requestAnimationFrame").mockReturnValue(0);
    onTestFinished(() => frames.mockRestore());
    await waitFor(async () => {
      await user.keyboard("{ArrowDown}");
      expect(screen.getByRole("option", { selected: true })).toBeVisible();
    });
    await user.keyboard("{Enter}");
    expect(field).toHaveValue("metrics.loss AND x");
    expect(field.selectionStart).toBe("metrics.loss ".length);
  });
});

describe("the keys of the table", () => {
  it("move, select a range, open rows and runs, and reach the heads", async () => {
    const user = userEvent.setup();
    const { router } = open(server([run("p", { children: 1 }), ...three]));
    await cell("run p");
    const table = await grid();
    act(() => table.focus());
    const at = () => document.getElementById(table.getAttribute("aria-activedescendant") ?? "");
    await user.keyboard("{ArrowRight}");
    expect(at()).toHaveTextContent("run p");
    await user.keyboard("{Shift>}{ArrowRight}{/Shift}");
    expect(await screen.findByRole("link", { name: "run below" })).toBeInTheDocument();
    await user.keyboard(
      "{Shift>}{ArrowLeft}{/Shift}{ArrowDown} {ArrowDown}{ArrowDown}{Shift>} {/Shift}",
    );
    expect(await screen.findByText("3 runs selected")).toBeInTheDocument();
    await user.keyboard("{Control>}{Home}{/Control}{ArrowUp}{Enter}");
    expect(await screen.findByText("5 runs selected")).toBeInTheDocument();
    await user.keyboard("{ArrowDown}{ArrowDown}{Enter}");
    await waitFor(() => expect(router.state.location.pathname).toMatch(/runs\/a$/));
  });
  it("stay with the table when something in it is clicked", async () => {
    open(server(three));
    await userEvent.click(within(await pins("run b")).getByRole("checkbox"));
    expect(await grid()).toHaveFocus();
    await userEvent.keyboard("{ArrowDown} ");
    expect(await screen.findByText("2 runs selected")).toBeInTheDocument();
  });
  it("open the menu of a head: sort, show, pin, widen, hide", async () => {
    const user = userEvent.setup();
    const { router } = open(server(three));
    await cell("run a");
    const search = () => router.state.location.search;
    const choose = async (head: string, item: string) => {
      await user.click(screen.getByRole("columnheader", { name: head }));
      await user.click(within(await screen.findByRole("menu")).getByText(item));
      await user.keyboard("{Escape}");
      await waitFor(() => expect(screen.queryByRole("menu")).toBeNull());
    };
    await choose("auc", "Sort down");
    await waitFor(() => expect(search()).toEqual({ sort: "metrics.auc DESC" }));
    expect(screen.getByRole("columnheader", { name: "auc" })).toHaveAttribute(
      "aria-sort",
      "descending",
    );
    await choose("auc", "Best value");
    await cell("run a");
    expect(await within(await cell("run a")).findByText("0.95")).toBeInTheDocument();
    await choose("auc best", "Pin at the left");
    await user.click(screen.getByRole("columnheader", { name: "auc best" }));
    await user.click(await screen.findByRole("menuitem", { name: "Narrower" }));
    await user.click(screen.getByRole("menuitem", { name: "Wider" }));
    await user.click(screen.getByRole("menuitem", { name: "Wider" }));
    await user.keyboard("{Escape}");
    await waitFor(() =>
      expect(search()).toMatchObject({ pin: ["metrics.auc"], w: { "metrics.auc": 139 } }),
    );
    expect(screen.getAllByRole("columnheader").map((h) => h.textContent)).toEqual([
      "",
      "Run",
      "aucbest",
      "Started",
      "Duration",
      "User",
      "depthparam",
    ]);
    await choose("depth param", "Hide");
    await waitFor(() => expect(screen.queryByRole("columnheader", { name: /depth/ })).toBeNull());
  });
});

describe("what is done to many runs", () => {
  const moved = { changed: ["a", "b"], failed: [] };
  const bar = () => screen.getByRole("region", { name: "Selected runs" });
  const choose = async () => {
    await userEvent.click(within(await pins("run a")).getByRole("checkbox"));
    const user = userEvent.setup();
    await user.keyboard("{Shift>}");
    await user.click(within(await pins("run b")).getByRole("checkbox"));
    await user.keyboard("{/Shift}");
    await screen.findByText("2 runs selected");
  };
  it("is asked for in words, done, taken out of the table, and undone from the toast", async () => {
    const { sent, answers, asked } = open(
      server(three, {
        [`POST ${p}/runs/delete`]: moved,
        [`POST ${p}/runs/restore`]: moved,
      }),
    );
    await choose();
    await userEvent.click(within(bar()).getByRole("button", { name: "Delete…" }));
    const before = asked.length;
    Object.assign(answers, { [`${p}/run-table`]: server([run("c")])[`${p}/run-table`] });
    await userEvent.click(screen.getByRole("button", { name: "Move 2 runs to the trash" }));
    await waitFor(() => expect(screen.queryByRole("link", { name: "run a" })).toBeNull());
    // Another list is asked for, and not the one of before.
    expect(asked.slice(before).some((q) => /run-table.*limit=1$/.test(q))).toBe(true);
    expect(screen.queryByRole("region", { name: "Selected runs" })).toBeNull();
    await waitFor(() => expect(screen.getByRole("grid")).toHaveFocus());
    await userEvent.click(await screen.findByRole("button", { name: "Undo" }));
    await waitFor(() =>
      expect(sent.map((s) => s.path)).toEqual([`${p}/runs/delete`, `${p}/runs/restore`]),
    );
    expect(sent[1]?.body).toEqual({ runs: ["a", "b"] });
  });
  it("says why it failed, and keeps what is selected", async () => {
    open(server(three, { [`POST ${p}/runs/delete`]: refusal(503, "the disk is full") }));
    await choose();
    await userEvent.click(within(bar()).getByRole("button", { name: "Delete…" }));
    await userEvent.click(screen.getByRole("button", { name: "Move 2 runs to the trash" }));
    expect(await screen.findByText("the disk is full")).toBeInTheDocument();
    await userEvent.click(screen.getByRole("button", { name: "Keep them" }));
    expect(screen.getByText("2 runs selected")).toBeInTheDocument();
  });
  it("leaves out what is no longer selected of all", async () => {
    const { sent } = open(server(three, { [`POST ${p}/runs/tag`]: moved }));
    await cell("run a");
    await userEvent.click(screen.getByRole("checkbox", { name: "Selected" }));
    expect(await screen.findByText("4 runs selected")).toBeInTheDocument();
    await userEvent.click(within(await pins("run b")).getByRole("checkbox"));
    expect(await screen.findByText("3 runs selected")).toBeInTheDocument();
    await userEvent.click(screen.getByRole("button", { name: "Tag…" }));
    await userEvent.type(screen.getByRole("textbox", { name: "Set the tag" }), "team");
    await userEvent.type(screen.getByRole("textbox", { name: "to" }), "vision");
    await userEvent.click(screen.getByRole("button", { name: /^Tag 3 runs/ }));
    await waitFor(() =>
      expect(sent[0]?.body).toEqual({ runs: ["a", "c"], set: { team: "vision" }, remove: [] }),
    );
  });
  it("is not offered to who may only read", async () => {
    open(server(three, { [`${p}/permissions`]: { items: ["read"], otherwise: "Ask for track" } }));
    await choose();
    expect(within(bar()).getByRole("button", { name: "Delete…" })).toHaveAttribute(
      "aria-disabled",
      "true",
    );
    expect(screen.getByRole("button", { name: "Compare" })).toBeEnabled();
  });
});
