import { expect, it } from "vitest";
import type { History, Turn } from "../../data/rollouts";
import { stepsOf } from "./steps";

const paired = (labels: number): Turn["evidence"] => ({
  labels,
  blocks: labels / 24,
  wealth: 0.5,
  rejected: false,
  loss_candidate: labels,
  loss_live: labels,
  loss_tolerated: 1.1 * labels,
});

const turn = (what: string, step: number, day: number, labels: number): Turn => ({
  what,
  step,
  percent: 10 * step,
  at: `2011-03-0${day}T00:00:00Z`,
  evidence: paired(labels),
  reason: `${labels} labels`,
});

function history(change: Partial<History["rollout"]>, turns: Turn[]): History {
  return {
    rollout: {
      id: "rol_1",
      endpoint: "bikes@production",
      environment: "production",
      model: "bikes",
      from: 1,
      to: 2,
      strategy: "canary",
      plan: {},
      state: "running",
      step: 2,
      percent: 50,
      step_at: "2011-03-03T00:00:00Z",
      step_labels: 48,
      evidence: paired(60),
      started: "2011-03-01T00:00:00Z",
      changed: "2011-03-04T00:00:00Z",
      ...change,
    },
    turns,
    findings: [],
    steps: [10, 50, 100],
    needed: 48,
    labels: 12,
    at_most_ms: 0,
  };
}

const begun = [turn("started", 1, 1, 0), turn("stepped", 2, 3, 48)];

it("shows each step with the numbers that it was left on", () => {
  const [first, second, third, live] = stepsOf(history({}, begun));
  expect(first).toMatchObject({ name: "10 %", state: "passed", labels: 48, why: "48 labels" });
  expect(first?.took).toBe(2 * 86_400_000);
  expect(second).toMatchObject({ name: "50 %", state: "present", labels: 12 });
  expect(third).toEqual({ name: "100 %", state: "ahead" });
  expect(live).toEqual({ name: "Live", state: "ahead" });
});

it("tells no time of a step that began before the stream did", () => {
  const before = { ...turn("started", 1, 0, 0), at: "2026-11-22T00:00:00Z" };
  const [first] = stepsOf(history({ step: 2 }, [before, turn("stepped", 2, 3, 48)]));
  expect(first).toMatchObject({ state: "passed", began: undefined, took: undefined });
  const [now] = stepsOf(history({ step: 1, step_at: "2011-03-01T00:00:00Z" }, [before]));
  expect(now?.began).toBe("2011-03-01T00:00:00Z");
});

it("shows where a rollout ended", () => {
  const ended = {
    state: "finished",
    outcome: "rolledback",
    reason: "worse",
    ended: "2011-03-05T00:00:00Z",
  };
  const steps = stepsOf(history(ended, [...begun, turn("finished", 2, 5, 96)]));
  expect(steps.map((s) => `${s.name} ${s.state}`)).toEqual([
    "10 % passed",
    "50 % ended",
    "100 % never",
    "Rolled back ended",
  ]);
  expect(steps[1]?.labels).toBe(48);
});

it("shows what is known of a rollout whose turns were not kept", () => {
  const ended = { state: "finished", outcome: "promoted", step: 3, ended: "2011-03-07T00:00:00Z" };
  const steps = stepsOf(history(ended, [turn("finished", 3, 7, 144)]));
  expect(steps.map((s) => s.state)).toEqual(["passed", "passed", "passed", "passed"]);
  expect(steps[0]?.labels).toBeUndefined();
});

it("has one step for a shadow, and none for a replacement", () => {
  expect(stepsOf(history({ strategy: "shadow", step: 1 }, []))).toHaveLength(2);
  expect(stepsOf(history({ strategy: "replace", step: 0 }, [])).map((s) => s.name)).toEqual([
    "Live",
  ]);
});
