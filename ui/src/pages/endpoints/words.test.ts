import { expect, it } from "vitest";
import {
  asPercent,
  colorOf,
  fillOf,
  GREY,
  environmentOf,
  modelOf,
  rate,
  rolloutName,
  rolloutState,
} from "./words";

it("says a rate in the unit that suits it", () => {
  expect(rate(0, 1000)).toBe("0 /s");
  expect(rate(12_345, 1000)).toBe("12,345 /s");
  expect(rate(90, 60_000)).toBe("1.5 /s");
  expect(rate(30, 60_000)).toBe("30 /min");
  expect(rate(24, 86_400_000)).toBe("1 /h");
  expect(rate(3, 86_400_000)).toBe("3 /d");
});

it("names endpoints, shares and rollouts", () => {
  expect([modelOf("bikes@production"), environmentOf("bikes@production")]).toEqual([
    "bikes",
    "production",
  ]);
  expect(asPercent(12.5)).toBe("12.5 %");
  expect(rolloutName({ strategy: "canary", to: 4 })).toBe("Canary of version 4");
  expect(rolloutState({ state: "finished", outcome: "rolledback" })).toEqual({
    label: "rolled back",
    tone: "bad",
  });
  expect(rolloutState({ state: "waiting_human", outcome: "" }).label).toBe("asks a human");
});

it("tells 32 versions apart, and what is none of them", () => {
  expect([1, 7, 8, 9, 32, 33, 0].map(colorOf)).toEqual([1, 7, 8, 9, 32, 1, GREY]);
  expect([1, 8, 9].map(fillOf)).toEqual([
    "var(--f-series-1)",
    "var(--f-series-8)",
    "var(--f-series-1)",
  ]);
});
