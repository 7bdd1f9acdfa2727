import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it, vi } from "vitest";
import { MetricChart } from "./MetricChart";
import { viewOf, type ChartSearch } from "./view";

// happy-dom draws nothing and sees nothing; the plot itself is tested in the browser.
vi.mock("uplot", () => ({ default: Object.assign(vi.fn(), { join: () => [[]] }) }));
vi.mock("@mantine/hooks", async (original) => ({
  ...(await original<object>()),
  useIntersection: () => ({ ref: () => undefined, entry: { isIntersecting: true } }),
}));

const runs = [{ id: "r", label: "first", color: 1, startMS: 0 }];
const asked: { from?: number; seen?: string }[] = [];

function show(
  answers: (body: { series: { from?: number }[] }) => Response,
  search: ChartSearch = {},
  goesOn = false,
) {
  asked.length = 0;
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input) => {
    const body = (await (input as Request).json()) as { series: { from?: number }[] };
    asked.push(...body.series);
    return answers(body);
  });
  const queries = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  const onZoom = vi.fn();
  const page = (of: typeof runs, live: boolean) => (
    <MantineProvider>
      <QueryClientProvider client={queries}>
        <MetricChart
          project="p"
          metric="loss"
          runs={of}
          view={viewOf(search)}
          onZoom={onZoom}
          live={live}
        />
      </QueryClientProvider>
    </MantineProvider>
  );
  const { rerender } = render(page(runs, goesOn));
  return { onZoom, draw: (of: typeof runs) => rerender(page(of, false)) };
}

const json = (body: unknown, status = 200) =>
  new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json" } });
const thinned = {
  run: "r",
  key: "loss",
  by: "step",
  width: 10,
  points: 20,
  seen: "a",
  step: [0, 10],
  to_step: [9, 19],
  ms: [0, 10],
  to_ms: [9, 19],
  last: [1, 7],
  min: [0, 1],
  max: [2, 3],
  mean: [1, 2],
  count: [10, 10],
  nans: [0, 4],
  highs: [0, 1],
};

it("loads in the layout of what comes, and says what was thinned and what is no number", async () => {
  show(() => json({ series: [thinned] }));
  expect(screen.getByRole("status", { name: "Loading loss" })).toBeInTheDocument();
  expect(
    await screen.findByText(
      "newest 7 · 20 points in 2 stretches: mean, least, highest · 4 NaN · 1 infinite",
    ),
  ).toBeInTheDocument();
  expect(screen.getByRole("application", { name: /^loss by step/ })).toBeInTheDocument();
  await userEvent.click(screen.getByRole("button", { name: "Show as a table: loss" }));
  expect(screen.getAllByRole("row").map((r) => r.textContent)).toEqual(["stepfirst", "51", "152"]);
});

it("asks for the part of a zoom, where it was thinned", async () => {
  show(() => json({ series: [thinned] }), { zoom: "5~15" });
  await screen.findByText(/20 points/);
  await vi.waitFor(() => expect(asked.map((s) => s.from)).toEqual([undefined, 4]));
});

it("says that there are no points, and what failed", async () => {
  let broken = true;
  show(() =>
    broken
      ? json({ detail: "Run with id=r not found" }, 404)
      : json({ series: [{ ...thinned, width: 0, points: 0, step: [], ms: [], last: [] }] }),
  );
  expect(await screen.findByText("Run with id=r not found")).toBeInTheDocument();
  broken = false;
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  expect(await screen.findByText(/no points here/)).toBeInTheDocument();
});

it("reads what was live once more when it has ended", async () => {
  const { draw } = show(() => json({ series: [thinned] }), {}, true);
  await screen.findByText(/20 points/);
  expect(asked.map((s) => s.seen)).toEqual([undefined]);
  draw(runs);
  await vi.waitFor(() => expect(asked.map((s) => s.seen)).toEqual([undefined, undefined]));
});

it("gives each run its own line while others come and go", async () => {
  const both = [...runs, { id: "s", label: "second", color: 2, startMS: 0 }];
  const other = { ...thinned, run: "s", mean: [7, 8] };
  let answer: unknown = { series: [thinned, other] };
  const { draw } = show(() =>
    answer === undefined ? (new Promise(() => undefined) as never) : json(answer),
  );
  draw(both);
  await screen.findByText(/^40 points/);
  await userEvent.click(screen.getByRole("button", { name: "Show as a table: loss" }));
  answer = undefined; // what is asked for now does not come
  draw(both.slice(1));
  expect(screen.getAllByRole("row").map((r) => r.textContent)).toEqual(["stepsecond", "57", "158"]);
});

it("keeps the zoom of steps from a metric that has none, and its own from others", async () => {
  const timed = { ...thinned, by: "time", ms: [1000, 60_000], to_ms: [2000, 61_000] };
  const { onZoom } = show(() => json({ series: [timed] }), { zoom: "5~15" });
  const plot = await screen.findByRole("application", { name: /^loss by time since the start/ });
  expect(asked.map((s) => s.from)).toEqual([undefined]);
  plot.focus();
  await userEvent.keyboard("0");
  expect(onZoom).not.toHaveBeenCalled();
});
