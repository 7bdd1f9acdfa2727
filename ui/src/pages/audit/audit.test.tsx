import { act, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it } from "vitest";
import type { Change } from "../../data/events";
import { mount, refusal } from "../../test/mount";
import proofs from "../../test/proofs.json";

const [, kept] = proofs as { proof: object; event: Change }[];
if (!kept) throw new Error("no proof");
const { proof, event } = kept;
const proved = { [`/projects/wine/events/${event.seq}/proof`]: proof };

const at = "/projects/wine/events";
const open = (events: unknown, search = "", said: Record<string, unknown> = {}) =>
  mount(`/p/wine/audit${search}`, { [at]: events, ...said });

it("keeps the layout while it loads", async () => {
  open(undefined);
  expect(await screen.findByRole("status", { name: "Loading" })).toBeVisible();
  expect(screen.getByRole("button", { name: "Verify the whole ledger" })).toBeEnabled();
});

it("shows the server's words when it fails", async () => {
  open(refusal(403, "bob may not read this"));
  expect(await screen.findByText("bob may not read this")).toBeVisible();
});

it("teaches the next command, or to filter less, where there is nothing", async () => {
  open({ items: [] });
  expect(await screen.findByText("fairlead run")).toBeVisible();
});

it("tells a filter that is too narrow from a project without events", async () => {
  const { asked } = open({ items: [] }, "?kind=loop&actor=user%3Aada&from=2026-03-01&clock=stream");
  expect(await screen.findByText("No event is like that")).toBeVisible();
  expect(decodeURIComponent(asked.find((a) => a.includes("types=")) ?? "")).toMatch(
    /types=case.opened,case.advanced,case.closed,loop.paused&actor=user:ada&from=2026-03-01T00:00:00.000Z&clock=stream/,
  );
});

it("opens the event of the address, and verifies its proof itself", async () => {
  open({ items: [event] }, `?seq=${event.seq}`, proved);
  const toggle = await screen.findByRole("button", { name: `Details of event ${event.seq}` });
  expect(toggle).toHaveAttribute("aria-expanded", "true");
  expect(await screen.findByText("Verified")).toBeVisible();
  expect(screen.getAllByRole("img", { name: "holds" })).toHaveLength(5);
  expect(screen.getByLabelText("Body of the event")).toHaveTextContent('"outcome": "promoted"');
  expect(screen.getByRole("button", { name: "Download the proof" })).toBeEnabled();
  expect(screen.getByText(`fairlead audit check event-${event.seq}-proof.json`)).toBeVisible();
  await userEvent.click(toggle);
  expect(toggle).toHaveAttribute("aria-expanded", "false");
});

it("says that a proof is broken", async () => {
  open({ items: [{ ...event, actor: "user:eve" }] }, `?seq=${event.seq}`, proved);
  expect(await screen.findByText("Broken")).toBeVisible();
  expect(screen.getByRole("img", { name: "does not hold" })).toBeVisible();
});

it("puts new events before the others, and asks for them alone", async () => {
  const next = { ...event, seq: event.seq + 1, id: "ev_next", text: "Something new" };
  const { asked, answers, queries } = open({ items: [event] }, "", {
    ...proved,
    [`${at}?after=${event.seq}&limit=100`]: { items: [] },
  });
  await screen.findByRole("button", { name: `Details of event ${event.seq}` });
  answers[`${at}?after=${event.seq}&limit=100`] = { items: [next] };
  asked.length = 0;
  await act(() => queries.invalidateQueries({ queryKey: ["p", "wine", "events"] }));
  expect(await screen.findByText("Something new")).toBeVisible();
  expect(screen.getAllByRole("button", { name: /^Details of event/ })[0]).toHaveAccessibleName(
    `Details of event ${next.seq}`,
  );
  expect(asked.filter((a) => a.includes("newest"))).toEqual([]);
});

it("rests in a burst, and shows the newest when it is asked to", async () => {
  const burst = Array.from({ length: 100 }, (_, i) => ({
    ...event,
    seq: event.seq + 1 + i,
    id: `ev_${i}`,
    text: `Run ${i}`,
  }));
  const since = `${at}?after=${event.seq}&limit=100`;
  const { asked, answers, queries } = open({ items: [event] }, "", {
    ...proved,
    [since]: { items: [] },
  });
  await screen.findByRole("button", { name: `Details of event ${event.seq}` });
  const renew = () => act(() => queries.invalidateQueries({ queryKey: ["p", "wine", "events"] }));
  answers[since] = { items: burst, next: "more" };
  await renew();
  const newest = await screen.findByRole("button", { name: /show the newest/ });
  asked.length = 0;
  await renew();
  await renew();
  expect(asked.filter((a) => a.includes("/events?"))).toEqual([]);
  answers[at] = { items: [{ ...event, seq: 5000, id: "ev_5000", text: "The newest" }] };
  answers[`${at}?after=5000&limit=100`] = { items: [] };
  await userEvent.click(newest);
  expect(await screen.findByText("The newest")).toBeVisible();
  expect(screen.queryByText("Run 7")).toBeNull();
  expect(screen.queryByRole("button", { name: /show the newest/ })).toBeNull();
});

it("looks further back by itself for what is rare, and says so", async () => {
  let release: (answer: unknown) => void = () => undefined;
  const later = new Promise((done) => (release = done));
  open(undefined, "?kind=loop", {
    [at]: ({ page, types }: Record<string, string>) =>
      page === "c1" ? later : { items: page || !types ? [event] : [], next: page ? "" : "c1" },
  });
  expect(await screen.findByText(/looking further back/)).toBeVisible();
  expect(screen.queryByText("No event is like that")).toBeNull();
  release({ items: [], next: "c2" });
  expect(
    await screen.findByRole("button", { name: `Details of event ${event.seq}` }),
  ).toBeVisible();
  expect(screen.queryByText(/looking further back/)).toBeNull();
});

it("lets the reader say whether to go on, after a while without an event", async () => {
  open({ items: [], next: "on" }, "?kind=loop");
  expect(
    await screen.findByRole("button", { name: "Look further back" }, { timeout: 10_000 }),
  ).toBeEnabled();
  expect(screen.queryByText(/looking further back/)).toBeNull();
});

it("shows an event that the list has not come to", async () => {
  open({ items: [{ ...event, seq: 90, id: "ev_90" }] }, `?seq=${event.seq}`, {
    ...proved,
    [`${at}?after=${event.seq - 1}&limit=1`]: { items: [event] },
  });
  const alone = await screen.findByRole("region", { name: `Event ${event.seq}` });
  expect(await within(alone).findByText("Verified")).toBeVisible();
});

it("has the server check the whole ledger, and shows what comes out", async () => {
  open({ items: [] }, "", {
    "POST /audit/verify": {
      events: 1032,
      skipped: 0,
      checkpoints: 1,
      root: "bbf3",
      public_key: "k",
    },
  });
  await userEvent.click(await screen.findByRole("button", { name: "Verify the whole ledger" }));
  expect(
    await screen.findByText(/1,032 events of all projects and 1 signed checkpoint/),
  ).toBeVisible();
});
