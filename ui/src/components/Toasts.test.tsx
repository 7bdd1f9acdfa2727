import { MantineProvider } from "@mantine/core";
import { act, render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { useState } from "react";
import { beforeEach, expect, it, vi } from "vitest";
import { Dialog } from "./Dialog";
import { dismiss, goToToasts, toast, toasts } from "./toast";
import { Toasts } from "./Toasts";

beforeEach(() => () => act(() => toasts.read().forEach((t) => dismiss(t.id))));

/** A page with a button that asks, and the frame's toasts. */
function Asking() {
  const [asks, setAsks] = useState(false);
  return (
    <MantineProvider env="test">
      <button onClick={() => setAsks(true)}>Ask</button>
      <Dialog opened={asks} title="Sure?" onClose={() => setAsks(false)}>
        <button onClick={() => toast({ title: "It was refused", tone: "bad" })}>Try</button>
      </Dialog>
      <Toasts />
    </MantineProvider>
  );
}

it("shows what is said while a dialog is open in the dialog, and later beside it", async () => {
  render(<Asking />);
  await userEvent.click(screen.getByRole("button", { name: "Ask" }));
  const dialog = within(screen.getByRole("dialog"));
  // It is announced where it was there, empty, before.
  expect(dialog.getByRole("status")).toBeEmptyDOMElement();
  await userEvent.click(dialog.getByRole("button", { name: "Try" }));
  expect(dialog.getByRole("status")).toHaveTextContent("It was refused");
  expect(screen.getAllByText("It was refused")).toHaveLength(1);
  await userEvent.click(dialog.getByRole("button", { name: "Leave it" }));
  expect(screen.getByRole("status")).toHaveTextContent("It was refused");
});

it("leaves a toast by Escape, and not the dialog around it", async () => {
  render(<Asking />);
  await userEvent.click(screen.getByRole("button", { name: "Ask" }));
  const dialog = within(screen.getByRole("dialog"));
  await userEvent.click(dialog.getByRole("button", { name: "Try" }));
  act(goToToasts);
  expect(dialog.getByRole("button", { name: "Dismiss" })).toHaveFocus();
  await userEvent.keyboard("{Escape}");
  expect(screen.queryByText("It was refused")).toBeNull();
  expect(dialog.getByRole("button", { name: "Try" })).toHaveFocus();
});

it("goes to the newest by a key, does what it offers, and gives the focus back", async () => {
  render(<Asking />);
  const run = vi.fn();
  act(() => toast({ title: "One is in the trash" }));
  act(() => toast({ title: "Two are in the trash", action: { label: "Undo", run } }));
  screen.getByRole("button", { name: "Ask" }).focus();
  act(goToToasts);
  expect(screen.getByRole("button", { name: "Undo" })).toHaveFocus();
  await userEvent.keyboard("{Enter}");
  expect(run).toHaveBeenCalledOnce();
  expect(screen.queryByText("Two are in the trash")).toBeNull();
  expect(screen.getByRole("button", { name: "Ask" })).toHaveFocus();
});
