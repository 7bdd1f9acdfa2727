import { expect, it } from "vitest";
import { chartSearch, keptOf, keptText, listOf, viewOf, zoomText } from "./view";
import { formatOf, groupOf } from "./unit";

it("reads what is in the address, and leaves out what is nonsense", () => {
  const search = chartSearch({ by: "time", smooth: 60, logy: true, zoom: "5~10.5", find: "auc" });
  expect(viewOf(search)).toEqual({
    axis: "time",
    smoothing: 0.6,
    logX: false,
    logY: true,
    withoutOutliers: false,
    zoom: [5, 10.5],
    find: "auc",
  });
  const nonsense = chartSearch({ by: "x", smooth: 500, logx: "yes", zoom: "9~1", find: 7 });
  expect(viewOf(nonsense)).toMatchObject({ axis: "step", smoothing: 0, logX: false, find: "7" });
  expect(viewOf(nonsense).zoom).toBeUndefined();
  expect(viewOf(chartSearch({ zoom: zoomText([0.1 + 0.2, 1]) })).zoom).toEqual([0.3, 1]);
});

it("reads lists as links have them, also MLflow's", () => {
  expect(listOf("a,b")).toEqual(["a", "b"]);
  expect(listOf('["a","b"]')).toEqual(["a", "b"]);
  expect(listOf(["a"])).toEqual(["a"]);
  expect(listOf("[")).toEqual([]);
  expect(listOf(undefined)).toEqual([]);
});

it("keeps what is brushed of axes in the address", () => {
  const kept = new Map([
    ["params.lr", [0.5, 1] as const],
    ["metrics.a~b,c", [0.1 + 0.2, 0.4] as const],
  ]);
  const written = keptText(kept);
  expect(written).toEqual(["params.lr~0.5~1", "metrics.a~b,c~0.3~0.4"]);
  expect([...keptOf(written)]).toEqual([
    ["params.lr", [0.5, 1]],
    ["metrics.a~b,c", [0.3, 0.4]],
  ]);
  expect(keptText(new Map())).toBeUndefined();
  expect(keptOf(["x", "x~2~1", "x~0~7", "~0~1"]).size).toBe(0);
});

it("writes metrics with the units of their names", () => {
  expect(formatOf("system/memory_bytes")(2e9)).toBe("2 GB");
  expect(formatOf("train_seconds")(90)).toBe("1 min 30 s");
  expect(formatOf("gpu_utilization_percentage")(81.5)).toBe("81.5 %");
  expect(formatOf("loss")(0.123456)).toBe("0.12346");
  expect(formatOf("loss")(Number.MAX_VALUE)).toBe("∞");
  expect(formatOf("loss")(-Number.MAX_VALUE)).toBe("−∞");
  expect(["a/b/c", "/a", "a"].map(groupOf)).toEqual(["a", "", ""]);
});
