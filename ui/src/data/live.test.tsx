import { QueryClient, QueryClientProvider, type Query } from "@tanstack/react-query";
import { act, render } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import {
  answers,
  outdated,
  useEvents,
  useHearing,
  useHearingSince,
  useLive,
  type Hearing,
} from "./live";

/** A stream whose other end is the test. */
class FakeSource extends EventTarget {
  static all: FakeSource[] = [];
  static get last(): FakeSource {
    const last = this.all.at(-1);
    if (!last) throw new Error("no stream was opened");
    return last;
  }
  onmessage: ((m: MessageEvent) => void) | null = null;
  onerror: (() => void) | null = null;
  closed = false;
  constructor(readonly url: string) {
    super();
    FakeSource.all.push(this);
  }
  close() {
    this.closed = true;
  }
  say(type: string, seq: number, data: unknown) {
    const m = new MessageEvent(type, { data: JSON.stringify(data), lastEventId: String(seq) });
    act(() => {
      if (type === "message") this.onmessage?.(m);
      else this.dispatchEvent(m);
    });
  }
  event(seq: number, type: string) {
    this.say("message", seq, { seq, type, subject: "model/m", text: "It happened" });
  }
  fail() {
    act(() => this.onerror?.());
  }
}

let hidden = false;
beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("EventSource", FakeSource);
  FakeSource.all = [];
  hidden = false;
  vi.spyOn(document, "hidden", "get").mockImplementation(() => hidden);
  vi.spyOn(Math, "random").mockReturnValue(0.5);
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function setup(types: string[] = []) {
  const queries = new QueryClient();
  const invalidate = vi.spyOn(queries, "invalidateQueries");
  const seen: number[] = [];
  let hearing: Hearing | undefined;
  let since = 0;
  function Probe() {
    useLive("wine");
    hearing = useHearing();
    since = useHearingSince();
    useEvents(types, (e) => seen.push(e.seq));
    return null;
  }
  const view = render(
    <QueryClientProvider client={queries}>
      <Probe />
    </QueryClientProvider>,
  );
  const renewed = () => invalidate.mock.calls.map(([f]) => f?.queryKey?.slice(2).join("/") ?? "");
  return { view, seen, renewed, invalidate, hearing: () => hearing, since: () => since };
}
const pass = (ms: number) => act(() => vi.advanceTimersByTime(ms));

it("tells listeners of the types that they want", () => {
  const { seen } = setup(["case.opened"]);
  FakeSource.last.event(1, "case.opened");
  FakeSource.last.event(2, "case.closed");
  FakeSource.last.say("message", 3, "garbage");
  expect(seen).toEqual([1]);
});

it("renews what events touch within a second, once for many", () => {
  const { renewed, invalidate } = setup();
  FakeSource.last.event(1, "rollout.stepped");
  FakeSource.last.event(2, "rollout.finished");
  expect(renewed()).toEqual([]);
  pass(250);
  expect(renewed().sort()).toEqual([...outdated("rollout.stepped")].sort());
  invalidate.mockClear();
  FakeSource.last.event(3, "run.created");
  pass(500);
  expect(renewed()).toEqual([]);
  pass(100);
  expect(renewed()).toContain("runs");
});

it("leaves tables of runs as they are when runs come, and not when they go", () => {
  expect(outdated("run.created")).not.toContain("run-table");
  expect(outdated("run.deleted")).toEqual(expect.arrayContaining(["runs", "run-table"]));
});

it("looks at all anew when the server has left events out", () => {
  const { invalidate } = setup();
  FakeSource.last.say("reset", 900, { after: 1, seq: 900 });
  FakeSource.last.say("reset", 2900, { after: 900, seq: 2900 });
  pass(250);
  expect(invalidate.mock.calls).toEqual([[{ queryKey: ["p", "wine"] }]]);
});

it("asks a slow server as often as it answers, and once more for what came meanwhile", async () => {
  const { renewed, invalidate } = setup();
  const answers: (() => void)[] = [];
  invalidate.mockImplementation(() => new Promise((done) => answers.push(done)));
  const overviews = () => renewed().filter((name) => name === "overview").length;
  const burst = async (ms: number) => {
    for (let t = 0; t < ms; t += 100) {
      FakeSource.last.event(t, "run.created");
      await act(() => vi.advanceTimersByTimeAsync(100));
    }
  };
  await burst(3000);
  expect(overviews()).toBe(1);
  answers.splice(0).forEach((done) => done());
  await burst(2000); // it rests for as long as the answer took
  expect(overviews()).toBe(1);
  await act(() => vi.advanceTimersByTimeAsync(2000));
  expect(overviews()).toBe(2);
  await act(() => vi.advanceTimersByTimeAsync(60_000));
  expect(overviews()).toBe(2);
});

it("comes back after a failure where it was, ever later", () => {
  const { hearing } = setup();
  expect(hearing()).toBe("connecting");
  FakeSource.last.say("position", 41, 41);
  expect(hearing()).toBe("live");
  FakeSource.last.fail();
  expect(hearing()).toBe("reconnecting");
  pass(1000);
  expect(FakeSource.last.url).toBe("/api/v1/projects/wine/events/stream?after=41");
  FakeSource.last.fail();
  pass(1000);
  expect(FakeSource.all).toHaveLength(2);
  pass(1000);
  expect(FakeSource.all).toHaveLength(3);
});

it("asks anew what could not be loaded, and all when the server was away", () => {
  const { invalidate } = setup();
  FakeSource.last.say("position", 41, 41);
  const asked = (status: string) =>
    invalidate.mock.calls.map(([f]) => f?.predicate?.({ state: { status } } as Query));
  FakeSource.last.fail();
  pass(1000);
  FakeSource.last.say("position", 41, 41);
  expect([asked("error"), asked("success")]).toEqual([[true], [false]]);
  invalidate.mockClear();
  FakeSource.last.fail();
  pass(1000);
  FakeSource.last.fail();
  pass(2000);
  FakeSource.last.say("position", 41, 41);
  expect(asked("success")).toEqual([true]);
});

it("takes silence for a failure", () => {
  const { hearing } = setup();
  FakeSource.last.say("position", 1, 1);
  pass(39_000);
  expect(hearing()).toBe("live");
  pass(1000);
  expect(hearing()).toBe("reconnecting");
  expect(FakeSource.all[0]?.closed).toBe(true);
});

it("says since when it hears nothing, and comes back as soon as the server answers anything", () => {
  const { since, hearing } = setup();
  FakeSource.last.say("position", 1, 1);
  pass(5000);
  const lost = Date.now();
  FakeSource.last.fail();
  pass(1000);
  FakeSource.last.fail();
  expect([hearing(), since()]).toEqual(["reconnecting", lost]);
  answers();
  expect(FakeSource.all).toHaveLength(3);
  answers(); // it is being opened already
  expect(FakeSource.all).toHaveLength(3);
});

it("lets go of its connection while nobody looks", () => {
  const { hearing } = setup();
  FakeSource.last.say("position", 7, 7);
  hidden = true;
  document.dispatchEvent(new Event("visibilitychange"));
  pass(30_000);
  expect(hearing()).toBe("asleep");
  expect(FakeSource.last.closed).toBe(true);
  hidden = false;
  act(() => void document.dispatchEvent(new Event("visibilitychange")));
  expect(FakeSource.last.url).toMatch(/after=7$/);
});

it("ends with the page", () => {
  const { view } = setup();
  view.unmount();
  expect(FakeSource.last.closed).toBe(true);
  pass(120_000);
  expect(FakeSource.all).toHaveLength(1);
});
