import { expect, it } from "vitest";
import { ago, day, utc } from "./time";

const now = Date.UTC(2026, 10, 21, 20, 0, 0);

it.each<[number, string]>([
  [0, "just now"],
  [-30_000, "30 seconds ago"],
  [-180_000, "3 minutes ago"],
  [-86_400_000, "yesterday"],
  [2 * 86_400_000, "in 2 days"],
  [-400 * 86_400_000, "last year"],
])("shows %d ms from now as %s", (delta, text) => expect(ago(now + delta, now)).toBe(text));

it("names the zone of absolute times", () => {
  expect(utc(now)).toBe("2026-11-21 20:00:00 UTC");
  expect(day(now)).toBe("2026-11-21");
});
