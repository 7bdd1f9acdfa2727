import { describe, expect, it } from "vitest";
import { bytes, count, duration, percent, plural, short, value } from "./number";

describe("numbers", () => {
  it.each<[number | null, string]>([
    [0.123456, "0.1235"],
    [1234.5678, "1,235"],
    [0.00001234, "1.234e−5"],
    [123456789, "1.235e8"],
    [-0.5, "−0.5"],
    [0, "0"],
    [NaN, "NaN"],
    [-Infinity, "−∞"],
    [null, "–"],
  ])("shows %s as %s", (x, text) => expect(value(x)).toBe(text));

  it.each<[number, string]>([
    [0, "0 s"],
    [0.35, "350 µs"],
    [12.3456, "12.3 ms"],
    [3210, "3.21 s"],
    [245_000, "4 min 5 s"],
    [3_600_000, "1 h"],
    [7_380_000, "2 h 3 min"],
    [273_600_000, "3 d 4 h"],
  ])("shows %d ms as %s", (ms, text) => expect(duration(ms)).toBe(text));

  it("shows bytes, counts, shares and plurals", () => {
    expect(bytes(1_500_000)).toBe("1.5 MB");
    expect(bytes(0)).toBe("0 B");
    expect(count(1234567)).toBe("1,234,567");
    expect(short(1_234_567)).toBe("1.23 M");
    expect(percent(0.125)).toBe("12.5 %");
    expect([plural(0, "run"), plural(1, "run"), plural(2000, "run")]).toEqual([
      "no runs",
      "1 run",
      "2,000 runs",
    ]);
  });
});
