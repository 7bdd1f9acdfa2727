import { MantineProvider } from "@mantine/core";
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it, vi } from "vitest";
import { Menu, MenuItem, Popover } from "./Menu";

function draw(done: (what: string) => void) {
  render(
    <MantineProvider env="test">
      <Menu label="Fruit" target={<button>Choose</button>}>
        <MenuItem onClick={() => done("apple")}>Apple</MenuItem>
        <MenuItem disabled onClick={() => done("banana")}>
          Banana
        </MenuItem>
        <MenuItem checked onClick={() => done("cherry")}>
          Cherry
        </MenuItem>
        <MenuItem stays onClick={() => done("more")}>
          More
        </MenuItem>
      </Menu>
      <button>Elsewhere</button>
    </MantineProvider>,
  );
  return screen.getByRole("button", { name: "Choose" });
}

it("is led through by the keyboard, and gives the focus back", async () => {
  const done = vi.fn();
  const button = draw(done);
  button.focus();
  await userEvent.keyboard("{ArrowDown}");
  expect(button).toHaveAttribute("aria-expanded", "true");
  expect(screen.getByRole("menuitem", { name: "Apple" })).toHaveFocus();
  await userEvent.keyboard("{ArrowUp}");
  expect(screen.getByRole("menuitem", { name: "More" })).toHaveFocus();
  await userEvent.keyboard("{Home}c");
  expect(screen.getByRole("menuitemradio", { name: "Cherry", checked: true })).toHaveFocus();
  await userEvent.keyboard("{Enter}");
  expect(done.mock.calls).toEqual([["cherry"]]);
  expect(screen.queryByRole("menu")).toBeNull();
  expect(button).toHaveFocus();
  await userEvent.keyboard("{Enter}{Escape}");
  expect(screen.queryByRole("menu")).toBeNull();
  expect(button).toHaveFocus();
});

it("stays open where it says so, and does nothing that may not be done", async () => {
  const done = vi.fn();
  await userEvent.click(draw(done));
  await userEvent.click(screen.getByRole("menuitem", { name: "More" }));
  const banana = screen.getByRole("menuitem", { name: "Banana" });
  expect(banana).toHaveAttribute("aria-disabled", "true");
  await userEvent.click(banana);
  expect(done.mock.calls).toEqual([["more"]]);
  expect(screen.getByRole("menu", { name: "Fruit" })).toBeVisible();
});

it("closes by a second press and by one elsewhere, which keeps the focus there", async () => {
  const button = draw(vi.fn());
  await userEvent.click(button);
  await userEvent.click(button);
  expect(screen.queryByRole("menu")).toBeNull();
  await userEvent.click(button);
  await userEvent.click(screen.getByRole("button", { name: "Elsewhere" }));
  expect(screen.queryByRole("menu")).toBeNull();
  expect(screen.getByRole("button", { name: "Elsewhere" })).toHaveFocus();
});

it("opens a panel whose first field has the focus", async () => {
  render(
    <Popover label="Columns" target={<button>Choose</button>}>
      <button>Clear</button>
      <input aria-label="Search" data-autofocus />
    </Popover>,
  );
  await userEvent.click(screen.getByRole("button", { name: "Choose" }));
  expect(screen.getByRole("dialog", { name: "Columns" })).toBeVisible();
  expect(screen.getByRole("textbox", { name: "Search" })).toHaveFocus();
});
