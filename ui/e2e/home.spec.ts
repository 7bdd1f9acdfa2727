import { expect, it } from "vitest";
import { look, project, settled, withBrowser, visit } from "./browser";

withBrowser();

it("shows home", () => look("home", `/p/${project}`), 60_000);

it("shows the phases of CRISP-DM", () => look("phases", `/p/${project}/phases`), 60_000);

it("leads from what needs a human to its page, and shows the loop as a list", async () => {
  const v = await visit(`/p/${project}/`);
  await settled(v.page);
  await v.page.getByRole("button", { name: "Show the loop as a list" }).click();
  await v.page.getByRole("group", { name: "Models in the loop" }).waitFor();
  await v.page.getByRole("link", { name: "All checks" }).click();
  await v.page.getByRole("heading", { name: "6 Deployment" }).waitFor();
  expect(v.troubles).toEqual([]);
  await v.close();
});

it("shows what happens while one looks", async () => {
  const v = await visit(`/p/${project}/`);
  await settled(v.page);
  await v.page.getByRole("status").filter({ hasText: "Live" }).waitFor();
  const name = `seen ${Date.now()}`;
  await v.page.evaluate(
    ([p, n]) =>
      fetch(`/p/${p}/api/2.0/mlflow/experiments/create`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ name: n }),
      }),
    [project, name] as const,
  );
  await v.page.getByText(`Experiment ${name} was created`).waitFor();
  await v.close();
});

it("leads MLflow's links to their pages, in the project that they name", async () => {
  for (const [from, to] of [
    [`/p/${project}/#/experiments/1/runs/abc`, `/p/${project}/experiments/1/runs/abc`],
    ["/#/experiments/0", "/p/default/experiments/0"],
    [`/p/${project}/#/models/bikes/versions/1`, `/p/${project}/models/bikes/versions/1`],
  ] as const) {
    const v = await visit(from);
    await settled(v.page);
    await expect.poll(() => new URL(v.page.url()).pathname).toBe(to);
    await v.close();
  }
});
