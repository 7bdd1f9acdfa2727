import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it } from "vitest";
import { toasts } from "../../components/toast";
import { mount, refusal, type Answers } from "../../test/mount";
import { experiment, run } from "./fixtures";

const rows = [run("a")];
const table = { snapshot: "s", offset: 0, total: 2, runs: 2, newer: 0, rows, experiments: {} };
const answers: Answers = {
  "/projects/bikes/permissions": { items: ["read", "track"], otherwise: "" },
  "/projects/bikes/experiments": { items: [experiment] },
  "/projects/bikes/experiments/1": experiment,
  "/projects/bikes/run-table": table,
};

describe("the list of experiments", () => {
  it("shows a skeleton, the experiments, and leads to them", async () => {
    mount("/p/bikes/experiments", { ...answers, "/projects/bikes/experiments": undefined });
    expect(await screen.findByRole("status", { name: "Loading" })).toBeInTheDocument();
  });
  it("has runs, activity and a link for each", async () => {
    mount("/p/bikes/experiments", answers);
    const link = await screen.findByRole("link", { name: "rides" });
    expect(link).toHaveAttribute("href", "/p/bikes/experiments/1");
    expect(screen.getByRole("columnheader", { name: /Last activity/ })).toBeInTheDocument();
  });
  it("teaches how to make the first one", async () => {
    mount("/p/bikes/experiments", { ...answers, "/projects/bikes/experiments": { items: [] } });
    expect(await screen.findByText("No experiments yet")).toBeInTheDocument();
    expect(screen.getByText(/mlflow experiments create/)).toBeInTheDocument();
  });
  it("says what failed", async () => {
    mount("/p/bikes/experiments", {
      ...answers,
      "/projects/bikes/experiments": refusal(503, "the disk is full"),
    });
    expect(await screen.findByText("the disk is full")).toBeInTheDocument();
    expect(screen.getByRole("button", { name: "Try again" })).toBeInTheDocument();
  });
  it("makes one by its name", async () => {
    const { sent } = mount("/p/bikes/experiments", {
      ...answers,
      "POST /projects/bikes/experiments": experiment,
    });
    await screen.findByRole("button", { name: "New experiment" });
    await waitFor(() =>
      expect(screen.getByRole("button", { name: "New experiment" })).not.toHaveAttribute(
        "aria-disabled",
      ),
    );
    await userEvent.click(screen.getByRole("button", { name: "New experiment" }));
    await userEvent.type(await screen.findByRole("textbox", { name: "Name" }), "wine");
    await userEvent.click(screen.getByRole("button", { name: "Make it" }));
    await waitFor(() =>
      expect(sent).toEqual([
        { method: "POST", path: "/projects/bikes/experiments", body: { name: "wine" } },
      ]),
    );
  });
});

describe("the trash", () => {
  const trash = {
    ...answers,
    "/projects/bikes/settings": { keep_deleted: "30d", kept_ms: 30 * 864e5 },
    "/projects/bikes/experiments": {
      items: [{ ...experiment, state: "deleted", deleted_ms: 1e12 }],
    },
    "/projects/bikes/run-table": {
      ...table,
      total: 1,
      runs: 1,
      rows: [
        run("a", { state: "deleted", deleted_ms: 1e12 }),
        run("b", { state: "deleted", deleted_ms: 1e12, experiment: "2" }),
      ],
      experiments: { 1: { name: "rides" }, 2: { name: "tides", deleted_ms: 1e12 } },
    },
    "POST /projects/bikes/runs/restore": { changed: ["a"], failed: [] },
    "POST /projects/bikes/experiments/1/restore": {},
  };
  it("restores runs and experiments", async () => {
    const { sent } = mount("/p/bikes/experiments/trash", trash);
    await userEvent.click(await screen.findByRole("button", { name: "Restore run a" }));
    await userEvent.click(await screen.findByRole("button", { name: "Restore rides" }));
    await waitFor(() =>
      expect(sent.map((s) => s.path)).toEqual([
        "/projects/bikes/runs/restore",
        "/projects/bikes/experiments/1/restore",
      ]),
    );
    expect(screen.getByText(/can be restored for 30d/)).toBeInTheDocument();
  });
  it("names the experiments of runs, and leads from one that is in the trash to it", async () => {
    mount("/p/bikes/experiments/trash", trash);
    const rides = within(await screen.findByRole("row", { name: /run a/ }));
    expect(rides.getByRole("link", { name: "rides" })).toBeInTheDocument();
    const row = within(screen.getByRole("row", { name: /run b/ }));
    const link = row.getByRole("link", { name: "tides" });
    expect(link).toHaveAttribute("href", "/p/bikes/experiments/2");
    expect(row.getByRole("button", { name: "Restore run b" })).toHaveAccessibleDescription(
      /Its experiment is in the trash/,
    );
  });
  it("says that it is empty", async () => {
    mount("/p/bikes/experiments/trash", {
      ...trash,
      "/projects/bikes/experiments": { items: [] },
      "/projects/bikes/run-table": { ...table, total: 0, runs: 0, rows: [] },
    });
    expect(await screen.findByText("No run is in the trash")).toBeInTheDocument();
    expect(await screen.findByText("No experiment is in the trash")).toBeInTheDocument();
  });
});

describe("an experiment in the trash", () => {
  const gone = { ...experiment, state: "deleted", deleted_ms: 1e12 };
  const inTrash = {
    ...answers,
    "/projects/bikes/settings": { keep_deleted: "", kept_ms: 30 * 864e5 },
    "/projects/bikes/experiments/1": gone,
    "/projects/bikes/run-columns": { items: [], total: 0 },
    "POST /projects/bikes/experiments/1/restore": {},
    "POST /projects/bikes/experiments/1/delete": {},
  };
  it("says so, until when it is kept, and comes out and back", async () => {
    const { sent, asked } = mount("/p/bikes/experiments/1", inTrash);
    expect(await screen.findByText("This experiment is in the trash")).toBeInTheDocument();
    // The runs that went with it are those of the trash.
    await waitFor(() =>
      expect(asked.some((a) => a.includes("/run-table?") && a.includes("state=deleted"))).toBe(
        true,
      ),
    );
    expect(await screen.findByText(/Until 9 Oct 2001/)).toBeInTheDocument();
    const restore = screen.getByRole("button", { name: "Restore" });
    await waitFor(() => expect(restore).not.toHaveAttribute("aria-disabled"));
    await userEvent.click(restore);
    await waitFor(() => expect(toasts.read().map((t) => t.title)).toContain("rides restored"));
    toasts.read().at(-1)?.action?.run();
    await waitFor(() =>
      expect(sent.map((s) => s.path)).toEqual([
        "/projects/bikes/experiments/1/restore",
        "/projects/bikes/experiments/1/delete",
      ]),
    );
  });
});
