import { configure, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { mount, refusal } from "../../test/mount";

configure({ asyncUtilTimeout: 10_000 }); // a page's code comes with its first drawing
vi.setConfig({ testTimeout: 30_000 });

// What is virtual draws what there is room for, and here nothing has a size.
beforeEach(() => {
  vi.spyOn(HTMLElement.prototype, "clientHeight", "get").mockReturnValue(520);
  vi.spyOn(HTMLElement.prototype, "clientWidth", "get").mockReturnValue(900);
});

const p = "/projects/bikes";
const may = { [`${p}/permissions`]: { items: ["read", "run"], otherwise: "" } };
const numbers = {
  min: 0,
  max: 24,
  mean: 12,
  std_dev: 6,
  quantiles: [1, 6, 12, 18, 23],
  bars: Array.from({ length: 24 }, (_, i) => i),
};
const version = {
  dataset: "recent",
  n: 2,
  digest: "ac15ef90c1e872610efbf4f1d2d70cdaa1c14dd6e2d0ef12954b6e776e93f314",
  bytes: 2500,
  rows: 300,
  columns: [
    { name: "id", type: "string", nulls: 0 },
    { name: "hr", type: "long", nulls: 30 },
  ],
  profile: [
    {
      name: "id",
      type: "string",
      count: 300,
      nulls: 0,
      distinct: 300,
      top: [{ value: "a", count: 1 }],
    },
    { name: "hr", type: "long", count: 270, nulls: 30, distinct: 24, numbers },
  ],
  source: "requests",
  key: "id",
  expect: [{ column: "hr", required: true, min: 0 }],
  from_at: "2011-01-01T00:00:00Z",
  to_at: "2011-01-31T00:00:00Z",
  created_at: "2026-11-21T20:00:00Z",
};
const older = { ...version, n: 1, rows: 200 };
const use = {
  n: 2,
  as: "recent",
  model: "bikes",
  case: "ca_1",
  run: "pr_1",
  state: "promoted",
  version: 3,
  decision: "dec_1",
  at: "2011-02-01T00:00:00Z",
};
const at = `${p}/datasets/recent/versions/2`;
const closed = new Response(
  JSON.stringify({
    status: 412,
    detail: "say why",
    code: "precondition",
    extra: { holdout: "h/1" },
  }),
  { status: 412, headers: { "Content-Type": "application/problem+json" } },
);

describe("the datasets", () => {
  const list = { [`${p}/datasets`]: { items: [{ ...version, versions: 2 }] } };

  it("are told by their newest versions", async () => {
    mount("/p/bikes/data", list);
    const row = await screen.findByRole("row", { name: /recent/ });
    expect(within(row).getByText("300")).toBeInTheDocument();
    expect(within(row).getByText("2011-01-01 to 2011-01-31")).toBeInTheDocument();
    expect(within(row).getByRole("link", { name: "recent version 2" })).toHaveAttribute(
      "href",
      "/p/bikes/data/recent/2",
    );
  });

  it("are found by name", async () => {
    const { asked, router } = mount("/p/bikes/data", list);
    await userEvent.type(await screen.findByLabelText("Find datasets by name"), "rec");
    await waitFor(() => expect(router.state.location.search).toEqual({ q: "rec" }));
    await waitFor(() => expect(asked.some((a) => a.includes("search=rec"))).toBe(true));
  });

  it("teach how to make the first", async () => {
    mount("/p/bikes/data", { [`${p}/datasets`]: { items: [] } });
    expect(await screen.findByText("There is no data yet")).toBeInTheDocument();
    expect(screen.getByText("fairlead run")).toBeInTheDocument();
  });

  it("say what went wrong", async () => {
    mount("/p/bikes/data", { [`${p}/datasets`]: refusal(500, "the disk is gone") });
    expect(await screen.findByText("the disk is gone")).toBeInTheDocument();
    expect(screen.getByRole("button", { name: "Try again" })).toBeInTheDocument();
  });

  it("have their layout before there is an answer", async () => {
    mount("/p/bikes/data", { [`${p}/datasets`]: undefined });
    expect(await screen.findByRole("status", { name: "Loading" })).toBeInTheDocument();
  });
});

it("shows the versions of a dataset, what used them, and what to compare them with", async () => {
  mount("/p/bikes/data/recent", {
    [`${p}/datasets/recent/versions`]: { items: [version, older] },
    [`${p}/datasets/recent/uses`]: { items: [use] },
  });
  const row = await screen.findByRole("row", { name: /recent version 2/ });
  expect(await within(row).findByText("promoted")).toBeInTheDocument();
  expect(within(row).getByText("bikes 3")).toBeInTheDocument();
  expect(within(row).getByRole("link", { name: "Compare version 2 with 1" })).toHaveAttribute(
    "href",
    "/p/bikes/data/recent/2/diff?from=%221%22",
  );
});

describe("a version", () => {
  it("shows its columns, one in detail, and what was expected", async () => {
    mount("/p/bikes/data/recent/2?column=hr", { [at]: version });
    const row = await screen.findByRole("row", { name: /hr long/ });
    expect(within(row).getByText("10 %")).toBeInTheDocument();
    expect(screen.getByText("30 of 300 (10 %)")).toBeInTheDocument();
    expect(screen.getByRole("group", { name: /270 values of hr in 24 parts/ })).toBeInTheDocument();
    await userEvent.click(screen.getByRole("button", { name: /Show as a table/ }));
    expect(screen.getByRole("columnheader", { name: /Values/ })).toBeInTheDocument();
    expect(screen.getByText("in each row")).toBeInTheDocument();
    expect(
      within(screen.getByRole("row", { name: /id key/ })).getByText("key"),
    ).toBeInTheDocument();
  });

  it("shows its rows as a grid that keys move in", async () => {
    const rows = [
      ["a", 1],
      ["b", null],
      ["9007199254740993", 3],
    ];
    mount("/p/bikes/data/recent/2?tab=rows", {
      ...may,
      [at]: version,
      [`${at}/rows`]: { columns: version.columns, rows, total: 3, more: 0 },
    });
    const grid = await screen.findByRole("grid", { name: "Rows of recent/2" });
    expect(grid).toHaveAttribute("aria-rowcount", "4");
    expect(await within(grid).findByText("9007199254740993")).toBeInTheDocument();
    expect(within(grid).getByText("null")).toBeInTheDocument();
    grid.focus();
    await userEvent.keyboard("{ArrowDown}{ArrowRight}");
    const active = grid.getAttribute("aria-activedescendant") ?? "";
    expect(document.getElementById(active)).toHaveTextContent("null");
  });

  it("keeps the rows of a holdout closed until the reader says why", async () => {
    const holdout = { ...version, dataset: "h", n: 1, source: "holdout" };
    const rows = `${p}/datasets/h/versions/1/rows`;
    const answers: Record<string, unknown> = {
      ...may,
      [`${p}/datasets/h/versions/1`]: holdout,
      [rows]: closed,
      [`${p}/datasets/h/versions/1/reads`]: { done: true },
    };
    const { asked } = mount("/p/bikes/data/h/1?tab=rows", answers);
    const button = await screen.findByRole("button", { name: "Record it and show the rows" });
    expect(button).toBeDisabled();
    expect(screen.queryByRole("grid")).toBeNull();
    await userEvent.type(screen.getByLabelText("Why do you look at them?"), "outliers");
    await waitFor(() => expect(button).toBeEnabled());
    await userEvent.click(button);
    await waitFor(() => expect(asked).toContain(`POST ${p}/datasets/h/versions/1/reads`));
  });

  it("filters its rows where they are", async () => {
    const { sent, router } = mount("/p/bikes/data/recent/2?tab=rows", {
      ...may,
      [at]: version,
      [`${at}/rows`]: {
        columns: [{ name: "id", type: "string" }],
        rows: [["a"]],
        total: 1,
        more: 0,
      },
      [`${p}/queries`]: {
        columns: [{ name: "id", type: "VARCHAR" }],
        rows: [["b"], ["c"]],
        tables: [],
        elapsed_ms: 1,
      },
    });
    await screen.findByRole("grid", { name: "Rows of recent/2" });
    await userEvent.type(screen.getByLabelText("Condition in SQL"), "hr > 7{Enter}");
    expect(await screen.findByText("2 rows fit")).toBeVisible();
    expect(sent[0]?.body).toEqual({ sql: 'select *\nfrom "recent/2"\nwhere\nhr > 7', limit: 1000 });
    expect(router.state.location.search).toEqual({ tab: "rows", where: "hr > 7" });
    await userEvent.clear(screen.getByLabelText("Condition in SQL"));
    await userEvent.keyboard("{Enter}");
    expect(await screen.findByRole("grid", { name: "Rows of recent/2" })).toBeVisible();
  });

  it("tells its lineage", async () => {
    mount("/p/bikes/data/recent/2?tab=lineage", {
      [at]: version,
      [`${at}/lineage`]: {
        parents: [
          {
            dataset: "recent",
            n: 1,
            source: "requests",
            rows: 200,
            created_at: version.created_at,
          },
        ],
        children: [],
        uses: [use],
      },
    });
    expect(await screen.findByRole("link", { name: "recent/1" })).toBeInTheDocument();
    expect(screen.getByText("nothing")).toBeInTheDocument();
    expect(screen.getByText("promoted")).toBeInTheDocument();
  });
});

it("compares two versions", async () => {
  const values = { distinct: 0, rows: 0, top: [] };
  const shape = {
    edges: [0, 12, 24],
    from: [100, 100],
    to: [10, 260],
    psi: 0.9,
    by_chance: 0.05,
    new: values,
    lost: values,
  };
  mount("/p/bikes/data/recent/2/diff?from=1", {
    [`${p}/datasets/recent/versions`]: { items: [version, older] },
    [`${at}/diff`]: {
      from: older,
      to: version,
      columns: [
        { name: "hr", state: "same", from: version.profile[1], to: version.profile[1], shape },
        { name: "id", state: "same", from: version.profile[0], to: version.profile[0] },
        { name: "new", state: "added", to: version.profile[0] },
      ],
      rows: {
        key: "id",
        added: 120,
        removed: 20,
        changed: 1,
        unchanged: 179,
        by_column: { hr: 1 },
        examples: [{ key: "a", kind: "changed", cells: [{ column: "hr", from: "1", to: null }] }],
      },
    },
  });
  const row = await screen.findByRole("row", { name: /^hr shifted/ });
  expect(within(row).getByText("0.9")).toBeInTheDocument();
  expect(screen.getByRole("row", { name: /^new added/ })).toBeInTheDocument();
  expect(
    screen.getByText(/^2 columns differ of 3; 1 distribution not counted/),
  ).toBeInTheDocument();
  expect(screen.queryByRole("row", { name: /^id –/ })).toBeNull();
  expect(screen.getByText("missing")).toBeInTheDocument();
  await userEvent.click(screen.getByLabelText("Also those that are alike"));
  expect(await screen.findByRole("row", { name: /^id –/ })).toBeInTheDocument();
});

it("chooses what to compare with in other datasets too, and keeps it in the address", async () => {
  const { router, asked } = mount("/p/bikes/data/recent/2/diff?from=1&key=id", {
    [`${p}/datasets/recent/versions`]: { items: [version] },
    [`${p}/datasets`]: {
      items: [
        { ...version, versions: 2 },
        { ...version, dataset: "history", n: 7, versions: 7 },
      ],
    },
    [`${p}/datasets/history/versions`]: { items: [{ ...version, dataset: "history", n: 7 }] },
    [`${at}/diff`]: { from: version, to: version, columns: [] },
  });
  const choice = await screen.findByLabelText("From dataset");
  await within(choice).findByRole("option", { name: /^history \(\d+ columns? shared\)$/ });
  await userEvent.selectOptions(choice, "history");
  await waitFor(() => expect(router.state.location.search).toEqual({ from: "history/7" }));
  await waitFor(() => expect(asked).toContain(`GET ${at}/diff?from=history%2F7`));
  expect(await screen.findByRole("option", { name: /^7 \(/ })).toBeInTheDocument();
  await userEvent.selectOptions(screen.getByLabelText("From dataset"), "recent");
  await waitFor(() => expect(router.state.location.search).toEqual({}));
});

describe("a query", () => {
  const list = { [`${p}/datasets`]: { items: [{ ...version, versions: 2 }] } };

  it("shows its answer, which is kept in the address", async () => {
    const { router } = mount("/p/bikes/data/query", {
      ...may,
      ...list,
      [`${p}/queries`]: {
        columns: [{ name: "n", type: "BIGINT" }],
        rows: [["9007199254740993"]],
        tables: [{ name: "recent", dataset: "recent", n: 2 }],
        elapsed_ms: 12,
        cut: "rows",
      },
    });
    const sql = await screen.findByLabelText("Query in SQL");
    expect(sql).toHaveValue("select *\nfrom recent\nlimit 100");
    await waitFor(() => expect(screen.getByRole("button", { name: "Run" })).toBeEnabled());
    await userEvent.type(sql, "{Control>}{Enter}{/Control}");
    const grid = await screen.findByRole("grid", { name: "Answer" });
    expect(await within(grid).findByText("9007199254740993")).toBeInTheDocument();
    expect(screen.getByText(/1 row in 12 ms; there are more/)).toBeInTheDocument();
    expect(router.state.location.search).toHaveProperty("sql");
  });

  it("shows where it is wrong", async () => {
    mount("/p/bikes/data/query?sql=select%20nope", {
      ...may,
      ...list,
      [`${p}/queries`]: new Response(
        JSON.stringify({
          status: 400,
          detail: "no column nope",
          code: "invalid",
          extra: { line: 1, column: 8 },
        }),
        { status: 400 },
      ),
    });
    expect(await screen.findByText("no column nope")).toBeInTheDocument();
    expect(screen.getByLabelText("Line 1, column 8")).toHaveTextContent("line 1: select nope ^");
  });

  it("asks why it reads a holdout", async () => {
    mount("/p/bikes/data/query?sql=from%20h", { ...may, ...list, [`${p}/queries`]: closed });
    expect(await screen.findByLabelText("Why do you read it?")).toHaveFocus();
    const button = screen.getByRole("button", { name: "Record it and run" });
    expect(button).toHaveAccessibleDescription("Say why you read it");
  });

  it("gives a reason to the query that asked for it, and to no other", async () => {
    const { sent, answers } = mount("/p/bikes/data/query?sql=from%20h", {
      ...may,
      ...list,
      [`${p}/queries`]: closed,
    });
    await userEvent.type(await screen.findByLabelText("Why do you read it?"), "outliers");
    answers[`${p}/queries`] = { columns: [], rows: [], tables: [], elapsed_ms: 1 };
    await userEvent.keyboard("{Enter}");
    expect(await screen.findByText("No row fits")).toBeVisible();
    await userEvent.type(screen.getByLabelText("Query in SQL"), "2{Control>}{Enter}{/Control}");
    await waitFor(() => expect(sent).toHaveLength(3));
    expect(sent.map((s) => s.body)).toEqual([
      { sql: "from h", limit: 1000 },
      { sql: "from h", limit: 1000, reason: "outliers" },
      { sql: "from h2", limit: 1000 },
    ]);
  });

  it("comes whole as a file, or says why not", async () => {
    const { asked, answers } = mount("/p/bikes/data/query", {
      ...may,
      ...list,
      [`${p}/queries/parquet`]: refusal(412, "more than 256 MB"),
      [`${p}/queries/csv`]: new Response("n\n1\n"),
    });
    const made = vi.spyOn(URL, "createObjectURL").mockReturnValue("blob:x");
    const clicked = vi.spyOn(HTMLAnchorElement.prototype, "click").mockReturnValue();
    await userEvent.click(await screen.findByRole("button", { name: "All as Parquet" }));
    expect(await screen.findByText("more than 256 MB")).toBeVisible();
    answers[`${p}/queries/parquet`] = new Response("PAR1");
    await userEvent.click(screen.getByRole("button", { name: "All as CSV" }));
    await waitFor(() => expect(made).toHaveBeenCalledOnce());
    expect(asked).toContain(`POST ${p}/queries/csv`);
    for (const spy of [made, clicked]) spy.mockRestore();
  });

  it("says what it may take, and what of its sandbox is missing", async () => {
    mount("/p/bikes/data/query", {
      ...may,
      ...list,
      [`${p}/queries/bounds`]: { seconds: 30, memory: 2 ** 29, missing: ["Landlock"] },
    });
    expect(await screen.findByText(/may take 30 s and 512 MiB/)).toBeVisible();
    expect(screen.getByRole("note")).toHaveTextContent("This server’s system has no Landlock");
  });

  it("is refused with the reason to who may not run", async () => {
    mount("/p/bikes/data/query", {
      ...list,
      [`${p}/permissions`]: { items: ["read"], otherwise: "ask for a role" },
    });
    expect(await screen.findByText(/ask for a role/)).toBeInTheDocument();
    const button = screen.getByRole("button", { name: "Run" });
    expect(button).toHaveAccessibleDescription("ask for a role");
  });

  it("completes names by keys", async () => {
    mount("/p/bikes/data/query", { ...may, ...list });
    const sql = await screen.findByLabelText("Query in SQL");
    await userEvent.clear(sql);
    await userEvent.type(sql, "select * from rec");
    expect(screen.getByRole("option", { name: /recent/ })).toHaveAttribute("aria-selected", "true");
    await userEvent.keyboard("{Tab}");
    expect(sql).toHaveValue("select * from recent");
    expect(screen.queryByRole("listbox")).toBeNull();
  });
});
