import { expect, it } from "vitest";
import type { Change } from "./live";
import { pageOf, thingOf } from "./links";

it.each([
  ["model", "a b/c", "/p/wine/models/a%20b%2Fc"],
  ["version", "a/b/3", "/p/wine/models/a%2Fb/versions/3"],
  ["run", "1/abc", "/p/wine/experiments/1/runs/abc"],
  ["endpoint", "a@b@production", "/p/wine/endpoints/a%40b/production"],
  ["dataset_version", "history/2", "/p/wine/data/history/2"],
  ["pipeline_run", "pr_1", "/p/wine/pipelines/pr_1"],
  ["moon", "1", undefined],
])("finds the page of %s %s", (kind, id, path) => expect(pageOf("wine", { kind, id })).toBe(path));

const event = (type: string, subject: string, body: unknown = {}) =>
  ({ type, subject, body }) as Change;

it.each([
  [event("incident.opened", "endpoint/m@production", { incident: "in_1" }), "incident in_1"],
  [event("rollout.stepped", "m@production", { rollout: "rol_1" }), "rollout rol_1"],
  [event("assignment.changed", "m@production", {}), "endpoint m@production"],
  [event("case.closed", "model/m", { case: "ca_1" }), "case ca_1"],
  [event("gate.decided", "model/m/3", { model: "m" }), "version m/3"],
  [event("evidence.recorded", "model/m/3", { model: "m" }), "model m"],
  [event("alias.moved", "model/m", { model: "m" }), "model m"],
  [event("run.created", "run/abc", { experiment: "1" }), "run 1/abc"],
  [event("holdout.read", "dataset/holdout/1"), "dataset_version holdout/1"],
  [event("access.changed", "project/wine"), ""],
])("finds what an event is about", (e, want) => {
  const thing = thingOf(e);
  expect(thing ? `${thing.kind} ${thing.id}` : "").toBe(want);
});
