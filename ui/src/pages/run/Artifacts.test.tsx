import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it, vi } from "vitest";
import { Artifacts, Content, shapeOf } from "./Artifacts";

/** Answers requests by what is in their addresses. */
function answer(by: (url: URL, range: string | null) => Response) {
  return vi.spyOn(globalThis, "fetch").mockImplementation((input, init) => {
    const request =
      input instanceof Request ? input : new Request(new URL(String(input), "http://h"), init);
    return Promise.resolve(by(new URL(request.url, "http://h"), request.headers.get("range")));
  });
}

const json = (body: unknown, status = 200) =>
  new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json" } });

function show(children: React.ReactNode) {
  const queries = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  render(
    <MantineProvider>
      <QueryClientProvider client={queries}>{children}</QueryClientProvider>
    </MantineProvider>,
  );
}

const file = (path: string, kind: string, bytes = 10) => (
  <Content project="p" owner={{ run: "r" }} file={{ path, kind: kind as "text", bytes }} />
);

describe("the files of a run", () => {
  const all = (path: string) => (
    <Artifacts
      project="p"
      roots={[{ name: "Run", owner: { run: "r" }, id: "" }]}
      of=""
      path={path}
      onShow={() => undefined}
      live={false}
    />
  );
  it("teaches how there come to be some", async () => {
    answer(() => json({ items: [] }));
    show(all(""));
    expect(screen.getByLabelText("Loading")).toBeInTheDocument();
    expect(await screen.findByText(/mlflow.log_artifact/)).toBeInTheDocument();
  });
  it("says in the server's words what failed, and tries again", async () => {
    let broken = true;
    answer(() =>
      broken
        ? json({ detail: "the database is on fire", code: "internal" }, 500)
        : json({ items: [{ path: "a.txt", bytes: 3, kind: "text" }] }),
    );
    show(all(""));
    expect(await screen.findByText("the database is on fire")).toBeInTheDocument();
    broken = false;
    await userEvent.click(screen.getByRole("button", { name: "Try again" }));
    expect(await screen.findByRole("button", { name: /a\.txt/ })).toBeInTheDocument();
  });
  it("lists many files bit by bit, and finds one on a later page of them", async () => {
    const items = Array.from({ length: 500 }, (_, i) => ({
      path: `f${i}`,
      bytes: 1,
      kind: "binary",
    }));
    answer((url) =>
      url.searchParams.get("page")
        ? json({ items: items.slice(300) })
        : json({ items: items.slice(0, 300), next: "x" }),
    );
    show(all("f499"));
    expect(await screen.findByText(/A file of bytes/)).toBeInTheDocument();
    expect(screen.getAllByRole("button", { name: /^f/ })).toHaveLength(200);
    await userEvent.click(screen.getByRole("button", { name: "Show more" }));
    expect(screen.getAllByRole("button", { name: /^f/ })).toHaveLength(400);
  });
  it("says when the file of an address is not there", async () => {
    answer(() => json({ items: [{ path: "a.txt", bytes: 3, kind: "text" }] }));
    show(all("gone.txt"));
    expect(await screen.findByText("There is no file gone.txt")).toBeInTheDocument();
  });
});

describe("what is in a file", () => {
  it("shows a text part by part, cut at its lines", async () => {
    const text = "one\ntwo\n";
    answer((_, range) => {
      const from = Number(/=(\d+)-/.exec(range ?? "")?.[1]);
      const end = from === 0 ? 6 : text.length; // in the middle of the second line
      return new Response(text.slice(from, end), {
        status: 206,
        headers: { "content-range": `bytes ${from}-${end - 1}/${text.length}` },
      });
    });
    show(file("a.log", "log", text.length));
    expect((await screen.findByLabelText("a.log")).textContent).toBe("one\n");
    await userEvent.click(screen.getByRole("button", { name: "Show more" }));
    expect((await screen.findByText(/two/)).textContent).toBe(text);
    expect(screen.queryByRole("button", { name: "Show more" })).toBeNull();
  });
  it("shows a table by pages", async () => {
    answer((url) =>
      url.searchParams.get("page")
        ? json({ columns: [{ name: "n", type: "text" }], rows: [["2"]], first: 1 })
        : json({ columns: [{ name: "n", type: "text" }], rows: [["1"]], first: 0, next: "x" }),
    );
    show(file("t.csv", "table"));
    expect(await screen.findByText("1 row so far")).toBeInTheDocument();
    await userEvent.click(screen.getByRole("button", { name: "Show more" }));
    expect(await screen.findByText("2 rows")).toBeInTheDocument();
    expect(screen.getAllByRole("row")).toHaveLength(3);
  });
  it("says how many columns are left out", async () => {
    answer(() =>
      json({ columns: [{ name: "n", type: "text" }], rows: [["1"]], first: 0, width: 3000 }),
    );
    show(file("t.csv", "table"));
    expect(await screen.findByText("The first 1 of 3,000 columns.")).toBeInTheDocument();
  });
  it("lets HTML run in a frame without an origin alone", () => {
    show(file("report.html", "html"));
    const frame = screen.getByTitle("report.html");
    expect(frame).toHaveAttribute("sandbox", "allow-scripts");
    expect(frame.getAttribute("src")).toContain("as=page");
  });
  it("shows pictures by their names, and bytes not at all", () => {
    show(
      <>
        {file("a/p.png", "image")}
        {file("w.bin", "binary")}
      </>,
    );
    expect(screen.getByRole("img", { name: "p.png" })).toBeInTheDocument();
    expect(screen.getByText(/A file of bytes/)).toBeInTheDocument();
  });
});

it("lays JSON out, or shows the table that it is", () => {
  expect(shapeOf("json", '{"a":1}')).toEqual({ text: '{\n  "a": 1\n}' });
  expect(shapeOf("json", '{"a"')).toEqual({ text: '{"a"' });
  expect(shapeOf("text", '{"a":1}')).toEqual({ text: '{"a":1}' });
  expect(shapeOf("json", '{"columns":["a"],"data":[[1]]}')).toEqual({
    columns: ["a"],
    rows: [[1]],
  });
});
