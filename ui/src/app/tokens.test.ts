import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const css = readFileSync("src/app/tokens.css", "utf8");
const [light = "", dark = ""] = css.split(/:root[^{]*\{/).slice(1);
const tokens = (part: string) =>
  new Map([...part.matchAll(/--f-([\w-]+): (#[0-9a-f]{6})/g)].map((m) => [m[1] ?? "", m[2] ?? ""]));

/** Relative luminance and contrast, WCAG 2.2. */
function luminance(hex: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((i) => {
    const c = parseInt(hex.slice(i, i + 2), 16) / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function contrast(a: string, b: string): number {
  const [hi = 0, lo = 0] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (hi + 0.05) / (lo + 0.05);
}

describe.each([
  ["light", tokens(light)],
  ["dark", tokens(dark)],
])("%s theme", (_, theme) => {
  const of = (name: string) => theme.get(name) ?? "missing";
  const grounds = ["bg", "surface", "sunken", "hover"];

  it.each(["ink", "dim", "accent", "good", "warn", "bad", "info"])(
    "reads %s on each ground",
    (name) => {
      for (const ground of grounds)
        expect(contrast(of(name), of(ground)), ground).toBeGreaterThanOrEqual(4.5);
    },
  );
  it.each(["accent", "good", "warn", "bad", "info"])("reads %s on its soft ground", (name) => {
    expect(contrast(of(name), of(`${name}-soft`))).toBeGreaterThanOrEqual(4.5);
  });
  it.each([1, 2, 3, 4, 5, 6, 7, 8])("tells series %d from the ground", (n) => {
    expect(contrast(of(`series-${n}`), of("surface"))).toBeGreaterThanOrEqual(3);
  });
  it("tells strong lines from the ground", () => {
    expect(contrast(of("line-strong"), of("surface"))).toBeGreaterThanOrEqual(3);
  });
});
