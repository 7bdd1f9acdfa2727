import { expect, it } from "vitest";
import { pinched } from "./touch";

it("keeps what lies under two fingers there", () => {
  // 40 and 60 of 0 to 100, pulled to a quarter and three quarters.
  expect(pinched([40, 60], [0.25, 0.75], [0, 100])).toEqual([30, 70]);
  // Moved together, and stopped at the end.
  expect(pinched([40, 60], [0.5, 1], [0, 100])).toEqual([20, 60]);
  expect(pinched([0, 20], [0.5, 1], [0, 100])).toEqual([0, 20]);
  // Crossed over, or the wrong way round.
  expect(pinched([60, 40], [0.75, 0.25], [0, 100])).toEqual([30, 70]);
  expect(pinched([40, 60], [0.75, 0.25], [0, 100])).toBe("same");
  expect(pinched([40, 60], [0.5, 0.501], [0, 100])).toBe("same");
  // Out as far as all there is.
  expect(pinched([10, 90], [0.4, 0.6], [0, 100])).toBeUndefined();
  const [low, high] = pinched([10, 100], [0.25, 0.75], [1, 1000], true) as [number, number];
  expect(low).toBeCloseTo(10 ** 0.5);
  expect(high).toBeCloseTo(10 ** 2.5);
});
