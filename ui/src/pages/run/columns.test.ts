import { expect, it } from "vitest";
import type { TrackedRun } from "../../data/run";
import { asNumber, betterOf, byInterest, columnsOf, paretoFront } from "./columns";

const run = (over: Partial<TrackedRun>): TrackedRun => ({
  id: "r",
  name: "run",
  experiment: "1",
  experiment_name: "e",
  user: "ann",
  status: "FINISHED",
  state: "active",
  start_ms: 1000,
  artifact_uri: "",
  params: {},
  tags: {},
  datasets: [],
  model_inputs: [],
  model_outputs: [],
  versions: [],
  ...over,
});
const metric = (key: string, last: number | null) => ({
  key,
  last,
  step: 0,
  time_ms: 0,
  min: last,
  max: last,
});

it("finds what runs differ in, and what are numbers", () => {
  const columns = columnsOf([
    {
      run: run({ params: { lr: "0.1", opt: "adam" }, tags: { team: "a", "mlflow.user": "x" } }),
      metrics: [metric("auc", 0.5)],
    },
    {
      run: run({ params: { lr: "1e-3", opt: "adam" }, end_ms: 3000 }),
      metrics: [metric("auc", null)],
    },
  ]);
  const found = Object.fromEntries(columns.map((c) => [c.id, c]));
  expect(found["params.lr"]).toMatchObject({ numeric: true, differs: true });
  expect(found["params.opt"]).toMatchObject({ numeric: false, differs: false });
  expect(found["metrics.auc"]?.values).toEqual([0.5, Number.NaN]);
  expect(found["tags.team"]?.values).toEqual(["a", undefined]);
  expect(found["tags.mlflow.user"]).toBeUndefined();
  expect(found["run.duration"]?.values).toEqual([undefined, 2000]);
});

it("reads numbers of texts", () => {
  expect([
    asNumber("1e-3"),
    asNumber(" "),
    asNumber("adam"),
    asNumber(2),
    asNumber(undefined),
  ]).toEqual([0.001, undefined, undefined, 2, undefined]);
});

it("guesses which end is better by the name", () => {
  expect(["train/loss", "validation.wape", "auc", "learning_rate"].map(betterOf)).toEqual([
    "low",
    "low",
    "high",
    undefined,
  ]);
});

it("finds the Pareto front in all four directions", () => {
  const points: [number, number][] = [
    [1, 1],
    [2, 3],
    [3, 2],
    [2, 2],
    [4, 4],
  ];
  expect(paretoFront(points, ["low", "low"])).toEqual([0]);
  expect(paretoFront(points, ["high", "high"])).toEqual([4]);
  expect(paretoFront(points, ["low", "high"])).toEqual([0, 1, 4]);
  expect(paretoFront(points, ["high", "low"])).toEqual([0, 2, 4]);
  expect(paretoFront([undefined, [1, 2], [1, 2], [1, 3]], ["low", "low"])).toEqual([1, 2]);
  expect(paretoFront([], ["low", "low"])).toEqual([]);
});

it("puts first what was validated and says how good it is", () => {
  const names = ["system/gpu", "learning_rate", "train/loss", "val/loss"];
  const columns = columnsOf([{ run: run({}), metrics: names.map((n) => metric(n, 1)) }]);
  const metrics = columns.filter((c) => c.kind === "metrics");
  expect(byInterest(metrics).map((c) => c.name)).toEqual([
    "val/loss",
    "train/loss",
    "learning_rate",
    "system/gpu",
  ]);
});
