import { screen, waitFor, within } from "@testing-library/react";
import { describe, expect, it, vi } from "vitest";
import userEvent from "@testing-library/user-event";
import { toasts } from "../../components/toast";
import { mount, refusal } from "../../test/mount";

// happy-dom draws nothing; the plot itself is tested in the browser.
vi.mock("uplot", () => ({ default: Object.assign(vi.fn(), { join: () => [[]] }) }));

const p = "/projects/bikes";
const at = "/p/bikes/experiments/1/runs/r1";
const run = {
  id: "r1",
  name: "first",
  experiment: "1",
  experiment_name: "rides",
  user: "ann",
  status: "FINISHED",
  state: "active",
  start_ms: 1_700_000_000_000,
  end_ms: 1_700_000_061_000,
  artifact_uri: "mlflow-artifacts:/1/r1/artifacts",
  params: {},
  tags: {},
  datasets: [],
  model_inputs: [],
  model_outputs: [],
  versions: [],
};
const metric = (key: string, more: object) => ({
  key,
  last: 0.5,
  step: 0,
  time_ms: 1,
  min: 0.5,
  max: 0.5,
  ...more,
});
const nothing = {
  [`${p}/runs/r1`]: run,
  [`${p}/runs/r1/metrics`]: { items: [] },
  [`${p}/runs`]: { items: [] },
  [`${p}/artifacts`]: { items: [] },
};

describe("the page of a run", () => {
  it("loads, and says in the server's words that there is none", async () => {
    const { unmount } = mount(at, { ...nothing, [`${p}/runs/r1`]: undefined });
    const loading = { name: "Loading" };
    await screen.findByRole("status", loading, { timeout: 10_000 }); // the page comes with it
    unmount();
    mount(at, { ...nothing, [`${p}/runs/r1`]: refusal(404, "Run with id=r1 not found") });
    expect(await screen.findByText("Run with id=r1 not found")).toBeInTheDocument();
  });

  it("teaches what a run without anything can note", async () => {
    mount(at, nothing);
    expect(await screen.findByRole("heading", { name: "first" })).toBeInTheDocument();
    expect(screen.getByText(/took 1 min 1 s/)).toBeInTheDocument();
    expect(await screen.findByText(/mlflow.log_metric/)).toBeInTheDocument();
    expect(screen.getByText(/mlflow.log_params/)).toBeInTheDocument();
    expect(screen.getByText(/did not note how it was started/)).toBeInTheDocument();
    expect(screen.getByText(/neither what it read nor what it made/)).toBeInTheDocument();
  });

  it("shows what a run noted, and what came of it", async () => {
    mount(at, {
      ...nothing,
      [`${p}/runs/r1`]: {
        ...run,
        state: "deleted",
        deleted_ms: 1e12,
        params: { lr: "0.1" },
        tags: { team: "a", "mlflow.source.name": "train.py", "mlflow.note.content": "a note" },
        parent: { id: "r0", name: "parent" },
        datasets: [
          {
            name: "hours",
            digest: "d1",
            source_type: "local",
            source: '{"uri": "a.csv"}',
            profile: '{"num_rows": 8760}',
            tags: { "mlflow.data.context": "training" },
          },
        ],
        model_outputs: [{ id: "m-1", step: 0 }],
        versions: [{ model: "bikes", n: 3, state: "ready", aliases: ["live"], created_ms: 1 }],
      },
      [`${p}/runs/r1/metrics`]: {
        items: [metric("auc", { best: 0.9, last: null }), metric("size_bytes", { last: 2000 })],
      },
    });
    const metrics = await screen.findByRole("group", { name: "Metrics of the run" });
    await within(metrics).findByRole("row", { name: /auc NaN 0\.9/ });
    expect(within(metrics).getByText("2 kB")).toBeInTheDocument();
    expect(screen.getByText("in the trash")).toBeInTheDocument();
    expect(screen.getByText("a note")).toBeInTheDocument();
    expect(screen.getByLabelText("commands that repeat the run")).toHaveTextContent(
      "python train.py",
    );
    await userEvent.click(screen.getByRole("button", { name: /^Show as a table: What it read/ }));
    const lineage = within(screen.getByRole("group", { name: "Lineage" }));
    expect(lineage.getAllByRole("row").map((r) => r.textContent)).toEqual([
      "WhatNameState",
      "Data, traininghours8,760 rows",
      "Runfirstfinished",
      "Logged modelm-1 (deleted)",
      "Versionbikes v3live",
    ]);
    const tags = within(screen.getByRole("list", { name: "Tags" }));
    expect(tags.getAllByRole("listitem").map((t) => t.textContent)).toEqual(["team a"]);
    expect(screen.getByText("1 tag of programs")).toBeInTheDocument();
  });

  it("opens the charts of a run that has histories, and says when its logs are none", async () => {
    const { asked, router } = mount(at, {
      ...nothing,
      [`${p}/runs/r1/metrics`]: { items: [metric("loss", { step: 9 })] },
      [`${p}/charts`]: { series: [] },
    });
    expect(
      await screen.findByRole("group", { name: "How the charts are drawn" }),
    ).toBeInTheDocument();
    // Before it is in sight: nothing ever is, in a document that is not laid out.
    await waitFor(() => expect(asked).toContain(`POST ${p}/charts`));
    await router.navigate({ to: at, search: { tab: "logs" } } as never);
    expect(await screen.findByText("No logs")).toBeInTheDocument();
  });
});

describe("what is open of a run without a choice", () => {
  it("waits for its metrics, and asks for nothing else meanwhile", async () => {
    const { asked } = mount(at, { ...nothing, [`${p}/runs/r1/metrics`]: undefined });
    await screen.findByRole("heading", { name: "first" });
    expect(screen.getByRole("status", { name: "Loading" })).toBeInTheDocument();
    expect(asked.filter((a) => a.includes(`${p}/runs?`))).toEqual([]);
  });

  it("stays what it was while more comes", async () => {
    const { answers } = mount(at, { ...nothing, [`${p}/charts`]: { series: [] } });
    expect(await screen.findByText("No metrics")).toBeInTheDocument();
    answers[`${p}/runs/r1/metrics`] = { items: [metric("loss", { step: 9 })] };
    window.dispatchEvent(new Event("visibilitychange"));
    await screen.findByRole("button", { name: "loss" });
    expect(screen.getByRole("tab", { name: "Overview" })).toHaveAttribute("aria-selected", "true");
  });
});

describe("what can be done with a run", () => {
  const may = { [`${p}/permissions`]: { items: ["read", "track"], otherwise: "" } };
  const done = { changed: ["r1"], failed: [] };

  it("moves it to the trash, and back", async () => {
    const { asked } = mount(at, {
      ...nothing,
      ...may,
      [`${p}/runs/delete`]: done,
      [`${p}/runs/restore`]: done,
    });
    await waitFor(() =>
      expect(screen.getByRole("button", { name: "Delete" })).not.toHaveAttribute("aria-disabled"),
    );
    await userEvent.click(screen.getByRole("button", { name: "Delete" }));
    await waitFor(() => expect(asked).toContain(`POST ${p}/runs/delete`));
    expect(toasts.read().map((t) => t.title)).toContain("The run is in the trash");
    toasts.read().at(-1)?.action?.run();
    await waitFor(() => expect(asked).toContain(`POST ${p}/runs/restore`));
  });

  it("offers the way out of the trash, or its experiment's", async () => {
    const settings = { [`${p}/settings`]: { keep_deleted: "", kept_ms: 30 * 864e5 } };
    const gone = { ...run, state: "deleted", deleted_ms: 1e12 };
    const { asked, answers } = mount(at, {
      ...nothing,
      ...may,
      ...settings,
      [`${p}/runs/r1`]: { ...gone, experiment_deleted_ms: 1e12 },
      [`POST ${p}/experiments/${run.experiment}/restore`]: {},
      [`${p}/runs/restore`]: done,
    });
    expect(
      await screen.findByText(`The experiment ${run.experiment_name} is in the trash`),
    ).toBeInTheDocument();
    const button = await screen.findByRole("button", { name: `Restore ${run.experiment_name}` });
    await waitFor(() => expect(button).not.toHaveAttribute("aria-disabled"));
    answers[`${p}/runs/r1`] = gone;
    await userEvent.click(button);
    await waitFor(() => expect(asked).toContain(`POST ${p}/experiments/${run.experiment}/restore`));
    expect(await screen.findByText("This run is in the trash")).toBeInTheDocument();
    expect(screen.getByText(/Until 9 Oct 2001/)).toBeInTheDocument();
    await userEvent.click(screen.getByRole("button", { name: "Restore" }));
    await waitFor(() => expect(asked).toContain(`POST ${p}/runs/restore`));
  });

  it("keeps notes, and says what was refused", async () => {
    const refused = { changed: [], failed: [{ run: "r1", reason: "the run is locked" }] };
    mount(at, { ...nothing, ...may, [`${p}/runs/tag`]: refused });
    await waitFor(() =>
      expect(screen.getByRole("button", { name: "Describe it" })).not.toHaveAttribute(
        "aria-disabled",
      ),
    );
    await userEvent.click(screen.getByRole("button", { name: "Describe it" }));
    await userEvent.type(screen.getByRole("textbox", { name: "Notes" }), "good");
    await userEvent.click(screen.getByRole("button", { name: "Save" }));
    await waitFor(() => expect(toasts.read().map((t) => t.message)).toContain("the run is locked"));
    expect(screen.getByRole("textbox", { name: "Notes" })).toHaveValue("good");
    await userEvent.click(screen.getByRole("button", { name: "Cancel" }));
    expect(screen.getByRole("button", { name: "Describe it" })).toHaveFocus();
  });

  it("sets tags, and removes them", async () => {
    const { sent } = mount(at, {
      ...nothing,
      ...may,
      [`${p}/runs/r1`]: { ...run, tags: { team: "a" } },
      [`${p}/runs/tag`]: done,
    });
    await userEvent.click(await screen.findByRole("button", { name: "Remove the tag team" }));
    await userEvent.click(screen.getByRole("button", { name: "Add a tag" }));
    await userEvent.type(screen.getByRole("textbox", { name: "Key" }), "stage");
    await userEvent.type(screen.getByRole("textbox", { name: "Value" }), "best");
    await userEvent.click(screen.getByRole("button", { name: "Set the tag" }));
    await waitFor(() => expect(sent).toHaveLength(2));
    expect(sent.map((s) => s.body)).toEqual([
      expect.objectContaining({ remove: ["team"] }),
      expect.objectContaining({ set: { stage: "best" } }),
    ]);
  });

  it("says why the reader may not", async () => {
    mount(at, {
      ...nothing,
      [`${p}/permissions`]: { items: ["read"], otherwise: "ask for the role of a data scientist" },
    });
    await waitFor(() =>
      expect(screen.getByRole("button", { name: "Delete" })).toHaveAccessibleDescription(
        "ask for the role of a data scientist",
      ),
    );
    expect(screen.getByRole("button", { name: "Delete" })).toHaveAttribute("aria-disabled", "true");
  });
});

describe("the comparison", () => {
  it("teaches how runs are chosen", async () => {
    mount("/p/bikes/compare", nothing);
    expect(await screen.findByText("Choose runs to compare")).toBeInTheDocument();
  });

  it("goes on without runs that are gone, and says which", async () => {
    const { asked } = mount("/p/bikes/compare?runs=r1,gone&tab=table", {
      ...nothing,
      [`${p}/runs/gone`]: refusal(404, "Run with id=gone not found"),
    });
    expect(await screen.findByText("Not there any more: gone.")).toBeInTheDocument();
    expect(screen.getByRole("heading", { name: "Compare 1 run" })).toBeInTheDocument();
    expect(await screen.findByText("One run differs from nothing")).toBeInTheDocument();
    await waitFor(() => expect(asked.some((a) => a.includes("/runs/r1/metrics"))).toBe(true));
  });

  it("leaves a run out, adds one, and keeps the places of the others", async () => {
    const other = (id: string, name: string) => ({ ...run, id, name });
    const { router } = mount("/p/bikes/compare?runs=r1,r2&tab=table", {
      ...nothing,
      [`${p}/runs/r2`]: other("r2", "second"),
      [`${p}/runs/r3`]: other("r3", "third"),
      [`${p}/runs`]: { items: [run, other("r2", "second"), other("r3", "third")] },
    });
    await userEvent.click(await screen.findByRole("button", { name: "Leave out first" }));
    expect(await screen.findByRole("heading", { name: "Compare 1 run" })).toBeInTheDocument();
    expect(router.state.location.search).toMatchObject({ runs: "-,r2" });
    await userEvent.selectOptions(screen.getByRole("combobox", { name: "Add a run" }), "third");
    expect(await screen.findByRole("heading", { name: "Compare 2 runs" })).toBeInTheDocument();
    expect(router.state.location.search).toMatchObject({ runs: "r3,r2" });
  });

  it("says what failed", async () => {
    mount("/p/bikes/compare?runs=r1", { ...nothing, [`${p}/runs/r1`]: refusal(500, "no luck") });
    expect(await screen.findByText("no luck")).toBeInTheDocument();
  });
});
