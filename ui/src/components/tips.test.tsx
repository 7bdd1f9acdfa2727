import { act, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it } from "vitest";
import { startTips } from "./tips";

it("tells what has the pointer or the keyboard's focus, and follows its words", async () => {
  startTips();
  const tip = screen.getByRole("tooltip");
  const view = render(
    <>
      <button data-tip="Copy it">C</button>
      <span data-tip="Named" aria-label="Named" tabIndex={0} />
    </>,
  );
  const button = screen.getByRole("button");
  await userEvent.hover(button);
  await expect.poll(() => tip.textContent).toBe("Copy it");
  expect(button).toHaveAccessibleDescription("Copy it");
  view.rerender(<button data-tip="Copied">C</button>);
  await expect.poll(() => tip.textContent).toBe("Copied");
  await userEvent.keyboard("{Escape}");
  expect(button).not.toHaveAttribute("aria-describedby");
});

it("does not say a name twice", async () => {
  render(<span data-tip="Named" aria-label="Named" tabIndex={0} />);
  act(() => screen.getByLabelText("Named").focus());
  expect(screen.getByLabelText("Named")).not.toHaveAttribute("aria-describedby");
});
