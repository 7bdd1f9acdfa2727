import { expect, it } from "vitest";
import { accessibility, look, project, settled, visit, withBrowser } from "./browser";

withBrowser();

const at = (path: string) => `/p/${project}/data${path}`;

it("shows the datasets", () => look("datasets", at("")), 60_000);
it("shows a dataset's versions", () => look("dataset", at("/recent")), 60_000);
it(
  "shows a version's profile",
  () => look("dataset-version", at("/recent/24?column=temp")),
  60_000,
);
it("shows its rows", () => look("dataset-rows", at("/recent/24?tab=rows")), 60_000);
it("shows its lineage", () => look("dataset-lineage", at("/recent/25?tab=lineage")), 60_000);
it("shows who has read a holdout", () => look("holdout-reads", at("/holdout/1?tab=reads")), 60_000);
it(
  "compares two versions",
  () => look("dataset-diff", at("/recent/24/diff?from=22&key=id&column=temp")),
  60_000,
);
it("queries", () => look("query", at("/query")), 60_000);

it("finds a dataset by its name, and keeps that in the address", async () => {
  const v = await visit(at(""));
  await settled(v.page);
  await v.page.getByLabel("Find datasets by name").fill("rec");
  await v.page.getByRole("row", { name: /history/ }).waitFor({ state: "detached" });
  expect(await v.page.getByRole("row", { name: /recent/ }).count()).toBe(1);
  expect(new URL(v.page.url()).search).toBe("?q=rec");
  await v.close();
});

it("keeps the rows of a holdout closed until the reader says why", async () => {
  const v = await visit(at("/holdout/2?tab=rows"));
  await settled(v.page);
  await v.page.getByText("These rows are held back.").waitFor();
  expect(await v.page.getByRole("grid").count()).toBe(0);
  expect(await accessibility(v.page)).toEqual([]);
  await v.close();
});
