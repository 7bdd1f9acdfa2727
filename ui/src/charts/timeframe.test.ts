import { expect, test } from "vitest";
import { moment, period, place, ticks } from "./timeframe";

const at = (text: string) => Date.parse(`${text}Z`);

test("ticks are regular, in UTC, and no more than there is room for", () => {
  const year = { from: at("2011-03-01T00:00"), to: at("2012-01-02T00:00"), width: 1000 };
  expect(ticks(year).map((t) => t.label)).toEqual(
    "Mar Apr May Jun Jul Aug Sep Oct Nov Dec 2012".split(" "),
  );
  expect(ticks({ ...year, width: 260 }).map((t) => t.label)).toEqual(["Apr", "Jul", "Oct", "2012"]);
  const day = { from: at("2011-03-01T22:00"), to: at("2011-03-02T04:00"), width: 400 };
  expect(ticks(day).map((t) => t.label)).toEqual(
    "22:00 23:00 2 Mar 01:00 02:00 03:00 04:00".split(/ (?!Mar)/),
  );
  const century = { from: at("1920-01-01T00:00"), to: at("2020-01-01T00:00"), width: 700 };
  expect(ticks(century).length).toBeLessThanOrEqual(14);
});

test("a place stays within the frame", () => {
  const f = { from: 100, to: 200, width: 50 };
  expect([place(f, 100), place(f, 150), place(f, 300), place(f, 0)]).toEqual([0, 25, 50, 0]);
});

test("periods read as a person writes them", () => {
  expect(period(at("2011-03-03T00:00"), at("2011-03-06T00:00"))).toBe("3–5 Mar 2011");
  expect(period(at("2011-03-03T00:00"), at("2011-03-04T00:00"))).toBe("3 Mar 2011");
  expect(period(at("2011-03-30T00:00"), at("2011-04-02T00:00"))).toBe("30 Mar – 1 Apr 2011");
  expect(period(at("2011-12-30T00:00"), at("2012-01-02T00:00"))).toBe("30 Dec 2011 – 1 Jan 2012");
  expect(period(at("2011-03-03T14:00"), at("2011-03-03T15:00"))).toBe("3 Mar 2011 14:00–15:00");
  expect(moment(at("2011-03-03T00:00"))).toBe("3 Mar 2011");
});
