import { expect, it } from "vitest";
import { fromMLflow } from "./mlflow";

it.each([
  ["#/experiments/1/runs/abc", "/experiments/1/runs/abc"],
  ["#/experiments/1/runs/abc/artifacts", "/experiments/1/runs/abc?tab=artifacts"],
  [
    "#/experiments/1/runs/abc/artifacts/a%20b/MLmodel",
    "/experiments/1/runs/abc?tab=artifacts&path=a%20b/MLmodel",
  ],
  ["#/experiments/1/runs/abc/model-metrics", "/experiments/1/runs/abc?tab=charts"],
  ["#/experiments/1/runs/abc/overview", "/experiments/1/runs/abc"],
  ["#/experiments/1", "/experiments/1"],
  ["#/experiments/1/runs", "/experiments/1"],
  ["#/experiments", "/experiments"],
  ["#/models/bikes/versions/3", "/models/bikes/versions/3"],
  ["#/models/my%20model", "/models/my%20model"],
  ["#/models", "/models"],
  ["#section", undefined],
  ["", undefined],
  ["#/", undefined],
])("leads %s to %s", (hash, path) => expect(fromMLflow(hash)).toBe(path));
