import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it } from "vitest";
import { mount } from "../test/mount";

const open = () =>
  mount("/p/wine/phases", {
    "/projects": { items: [{ name: "wine" }, { name: "beer" }] },
    "/projects/wine/phases": { phases: [] },
    "/projects/wine/find": { items: [] },
    "/projects/wine/find?text=auto": {
      items: [
        { kind: "model", id: "auto", title: "auto" },
        { kind: "run", id: "1/abc", title: "auto-7", detail: "finished" },
      ],
    },
  });
const field = () => screen.findByRole("combobox", { name: "Search and commands" });
const chosen = () => screen.getByRole("option", { selected: true }).textContent;

it("opens by Ctrl K, and goes to a page by the keyboard alone", async () => {
  open();
  await screen.findByRole("heading", { level: 1 });
  await userEvent.keyboard("{Control>}k{/Control}");
  await userEvent.type(await field(), "aud");
  expect(chosen()).toMatch(/^Audit/);
  await userEvent.keyboard("{Enter}");
  expect(await screen.findByRole("heading", { level: 1, name: "Audit" })).toBeVisible();
  expect(screen.queryByRole("combobox", { name: "Search and commands" })).toBeNull();
});

it("finds things by name, and moves among them with the arrows", async () => {
  open();
  await screen.findByRole("heading", { level: 1 });
  await userEvent.keyboard("/");
  await userEvent.type(await field(), "auto");
  const runs = await screen.findByRole("group", { name: "Runs" });
  expect(within(runs).getByRole("option")).toHaveTextContent("auto-7finished");
  expect(chosen()).toBe("auto");
  await userEvent.keyboard("{ArrowDown}");
  expect(chosen()).toBe("auto-7finished");
  await userEvent.keyboard("{ArrowDown}{ArrowDown}");
  await userEvent.keyboard("{ArrowUp}");
  await userEvent.keyboard("{Enter}");
  await waitFor(() =>
    expect(screen.queryByRole("combobox", { name: "Search and commands" })).toBeNull(),
  );
});

it("says when nothing is called so", async () => {
  open();
  await userEvent.click(await screen.findByRole("button", { name: "Search and commands" }));
  await userEvent.type(await field(), "zzz");
  expect(await screen.findByText("Nothing is called zzz")).toBeVisible();
});

it("switches the project", async () => {
  const { router } = open();
  await userEvent.click(await screen.findByRole("button", { name: "Search and commands" }));
  await userEvent.type(await field(), "project beer{Enter}");
  await waitFor(() => expect(router.state.location.pathname).toBe("/p/beer"));
});

it("shows the shortcuts", async () => {
  open();
  await screen.findByRole("heading", { level: 1 });
  await userEvent.keyboard("?");
  expect(await screen.findByRole("heading", { name: "Keyboard shortcuts" })).toBeVisible();
  await userEvent.click(screen.getByRole("button", { name: "Leave it" }));
  expect(screen.queryByRole("heading", { name: "Keyboard shortcuts" })).toBeNull();
});

it("leaves the keys of the page alone while a dialog asks, and one types", async () => {
  const { router } = open();
  await screen.findByRole("heading", { level: 1 });
  await userEvent.keyboard("?");
  await screen.findByRole("dialog", { name: "Keyboard shortcuts" });
  await userEvent.keyboard("ga/{Control>}k{/Control}");
  expect(screen.getAllByRole("dialog")).toHaveLength(1);
  expect(router.state.location.pathname).toBe("/p/wine/phases");
  await userEvent.click(screen.getByRole("button", { name: "Leave it" }));
  await userEvent.keyboard("ga");
  await waitFor(() => expect(router.state.location.pathname).toBe("/p/wine/audit"));
});

it("leaves letters to an open menu, which finds its items by them", async () => {
  const { router } = open();
  await userEvent.click(await screen.findByRole("button", { name: "Theme" }));
  screen.getByRole("menuitemradio", { name: "Light" }).focus();
  await userEvent.keyboard("ga");
  expect(screen.getByRole("menuitemradio", { name: "As the system" })).toHaveFocus();
  expect(router.state.location.pathname).toBe("/p/wine/phases");
});

it("leaves the palette by the keys that open it", async () => {
  open();
  await screen.findByRole("heading", { level: 1 });
  await userEvent.keyboard("{Control>}k{/Control}");
  await field();
  await userEvent.keyboard("{Control>}k{/Control}");
  expect(screen.queryByRole("dialog")).toBeNull();
});
