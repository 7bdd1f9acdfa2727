import { expect, it } from "vitest";
import { steady } from "./runtable";

const page = (...names: string[]) => ({
  pageParams: [""],
  pages: [
    {
      items: names.map((key) => ({ key, kind: "metric" as const, name: `metrics.${key}` })),
      total: 9,
    },
  ],
});

it("keeps columns where they are when others become more common", () => {
  expect(steady(undefined, page("b", "a"))).toEqual(page("b", "a"));
  expect(steady(page("a", "b"), page("b", "c", "a"))).toEqual(page("a", "b", "c"));
  expect(steady(page("a", "b"), page("c", "b"))).toEqual(page("a", "b", "c"));
});
