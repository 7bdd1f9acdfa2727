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
  useInViewport: () => ({ ref: () => undefined, inViewport: true }),
}));

const runs = [{ id: "r", label: "first", color: 1, startMS: 0 }];
const asked: { from?: number }[] = [];

function show(
  answers: (body: { series: { from?: number }[] }) => Response,
  search: ChartSearch = {},
) {
  asked.length = 0;
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input) => {
    const body = (await (input as Request).json()) as { series: { from?: number }[] };
    asked.push(...body.series);
    return answers(body);
  });
  const queries = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  render(
    <MantineProvider>
      <QueryClientProvider client={queries}>
        <MetricChart
          project="p"
          metric="loss"
          runs={runs}
          view={viewOf(search)}
          onZoom={() => undefined}
          live={false}
        />
      </QueryClientProvider>
    </MantineProvider>,
  );
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
  expect(screen.getByRole("img", { name: /^loss by step/ })).toBeInTheDocument();
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
