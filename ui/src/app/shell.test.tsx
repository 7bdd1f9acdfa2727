import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it } from "vitest";
import { mount, refusal } from "../test/mount";

it("says once that a project is not there, and which are", async () => {
  mount("/p/beer/phases", {
    "/projects/beer/permissions": refusal(404, 'there is no project "beer"'),
    "/projects": { items: [{ name: "wine" }] },
  });
  expect(await screen.findByText('there is no project "beer"')).toBeVisible();
  expect(screen.getAllByRole("alert")).toHaveLength(1);
  expect(await screen.findByRole("link", { name: "wine" })).toHaveAttribute("href", "/p/wine");
});

it("says to who has no rights yet how an administrator gives them some", async () => {
  mount("/p/bikes", {
    "/projects/bikes/permissions": refusal(403, "ada may not do this in project bikes"),
    "/projects": { items: [] },
  });
  expect(await screen.findByText("You may not read this project")).toBeVisible();
  expect(await screen.findByText("fairlead role grant ada viewer -p bikes")).toBeVisible();
});

it("keeps the frame around a page that could not be drawn", async () => {
  mount("/p/bikes/runs/abc", {});
  expect(await screen.findByRole("heading", { level: 1 })).toHaveTextContent("Nothing is here");
  expect(screen.getByRole("navigation", { name: "Rooms" })).toBeVisible();
});

it("goes on at the name of a page, from the rooms too", async () => {
  const { router } = mount("/p/bikes/phases", { "/projects/bikes/phases": { phases: [] } });
  await screen.findByRole("heading", { level: 1, name: "CRISP-DM" });
  expect(document.body).toHaveFocus();
  await router.navigate({ to: "/p/$project/audit", params: { project: "bikes" } });
  expect(await screen.findByRole("heading", { level: 1, name: "Audit" })).toHaveFocus();
  await userEvent.click(screen.getByRole("link", { name: "CRISP-DM" }));
  expect(await screen.findByRole("heading", { level: 1, name: "CRISP-DM" })).toHaveFocus();
});

it("draws the frame while a slow server has not yet said who reads", async () => {
  mount("/p/bikes/phases", { "/me": undefined });
  expect(await screen.findByRole("status", { name: "Loading" })).toBeVisible();
  expect(screen.getByText("Fairlead")).toBeVisible();
});
