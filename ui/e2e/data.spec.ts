import { expect, it } from "vitest";
import { accessibility, look, project, settled, visit, withBrowser } from "./browser";

withBrowser();

const at = (path: string) => `/p/${project}/data${path}`;

const SQL = `select weathersit, count(*) as hours, round(avg(bikers), 1) as riders,
  max("at") as newest
from recent
group by 1 order by 1`;

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
it(
  "answers a query",
  () =>
    look("query", at(`/query?sql=${encodeURIComponent(SQL)}`), (page) =>
      page.getByRole("grid", { name: "Answer" }).waitFor(),
    ),
  90_000,
);

it("finds a dataset by its name, and keeps that in the address", async () => {
  const v = await visit(at(""));
  await settled(v.page);
  await v.page.getByLabel("Find datasets by name").fill("rec");
  await v.page.getByRole("row", { name: /history/ }).waitFor({ state: "detached" });
  expect(await v.page.getByRole("row", { name: /recent/ }).count()).toBe(1);
  await v.page.waitForURL(/\?q=rec$/);
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

it("completes names, shows where a query is wrong, and answers it when it is right", async () => {
  const v = await visit(at("/query"));
  await settled(v.page);
  const sql = v.page.getByLabel("Query in SQL");
  await sql.fill("");
  await sql.pressSequentially("select * from rec");
  await v.page.getByRole("option", { name: /recent/ }).waitFor();
  expect(await accessibility(v.page)).toEqual([]);
  await sql.press("Tab");
  await expect.poll(() => sql.inputValue()).toBe("select * from recent");
  await sql.pressSequentially(" where nope = 1");
  await sql.press("Escape");
  await sql.press("Control+Enter");
  await v.page.getByText("line 1: select * from recent where nope = 1").waitFor();
  expect(await accessibility(v.page)).toEqual([]);
  await sql.fill("select count(*) as hours, 9007199254740993 as large from recent");
  await sql.press("Control+Enter");
  await v.page.getByRole("gridcell", { name: "9007199254740993" }).waitFor();
  await expect.poll(() => new URL(v.page.url()).searchParams.get("sql")).toContain("large");
  await v.close();
});

it("ends a query that is cancelled", async () => {
  const v = await visit(at("/query"));
  await settled(v.page);
  await v.page
    .getByLabel("Query in SQL")
    .fill("select sum(hash(a)) from range(1000000000000) t(a)");
  await v.page.getByRole("button", { name: "Run" }).click();
  await v.page.getByRole("button", { name: "Cancel" }).click();
  await v.page.getByRole("button", { name: "Run" }).waitFor();
  expect(v.troubles).toEqual([]);
  await v.close();
});

it("asks why a query reads a holdout, and records it", async () => {
  const v = await visit(at("/query"));
  await settled(v.page);
  await v.page.getByLabel("Query in SQL").fill('select count(*) from "holdout/3"');
  await v.page.getByRole("button", { name: "Run" }).click();
  const why = `a story ${Date.now()}`;
  await v.page.getByLabel("Why do you read it?").fill(why);
  await v.page.getByRole("button", { name: "Record it and run" }).click();
  await v.page.getByRole("grid", { name: "Answer" }).waitFor();
  await v.page.goto(new URL(at("/holdout/3?tab=reads"), v.page.url()).href);
  await v.page.getByRole("cell", { name: why }).waitFor();
  await v.close();
});

it("moves through all rows of a version by keys", async () => {
  const v = await visit(at("/recent/24?tab=rows"));
  await settled(v.page);
  const grid = v.page.getByRole("grid");
  await grid.focus();
  await grid.press("Control+End");
  await v.page.getByRole("gridcell", { name: "2011-12-27T", exact: false }).first().waitFor();
  await expect.poll(() => grid.getAttribute("aria-rowcount")).toBe("1415");
  await v.close();
});
