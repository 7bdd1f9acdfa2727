import { screen } from "@testing-library/react";
import { expect, it } from "vitest";
import { mount, refusal } from "../../test/mount";

const open = (phases: unknown) => mount("/p/wine/phases", { "/projects/wine/phases": phases });

it("keeps the layout of six phases while it loads", async () => {
  open(undefined);
  expect(await screen.findByRole("heading", { name: "6 Deployment" })).toBeVisible();
});

it("shows the server's words when it fails", async () => {
  open(refusal(503, "the server is stopping"));
  expect(await screen.findByText("the server is stopping")).toBeVisible();
});

it("shows each check with its state, its fact, and what to do", async () => {
  open({
    phases: [
      {
        name: "deployment",
        title: "Deployment",
        about: "Does it answer?",
        done: 1,
        checks: [
          {
            name: "Live version",
            state: "done",
            fact: "version 2 answers",
            link: { kind: "endpoint", id: "wine@production" },
          },
          { name: "Drift", state: "open", fact: "it is not watched", next: "monitor: {…}" },
          {
            name: "Incidents",
            state: "attention",
            fact: "1 open",
            next: "fairlead incident in_1",
          },
        ],
      },
    ],
  });
  expect(await screen.findByText("1 of 3")).toBeVisible();
  expect(screen.getByRole("img", { name: "holds" })).toBeInTheDocument();
  expect(screen.getByRole("img", { name: "is not there yet" })).toBeInTheDocument();
  expect(screen.getByRole("img", { name: "needs attention" })).toBeInTheDocument();
  expect(screen.getByRole("link", { name: "version 2 answers" })).toHaveAttribute(
    "href",
    "/p/wine/endpoints/wine/production",
  );
  expect(screen.getByRole("button", { name: "Copy the lines of fairlead.yaml" })).toBeVisible();
  expect(screen.getByRole("button", { name: "Copy the command" })).toBeVisible();
});
