import { expect, it, vi } from "vitest";
import fixtures from "../test/proofs.json";
import { verify, type Proof, type Shown } from "./proof";

const cases = fixtures as { proof: Proof; event: Shown }[];
const [first, middle] = cases;
if (!first || !middle) throw new Error("no proofs to check");

/** Changes one character of a text to another of its alphabet. */
const bend = (text: string, at: number) =>
  text.slice(0, at) + (text[at] === "0" ? "1" : "0") + text.slice(at + 1);
const held = async (proof: Proof, event: Shown) =>
  (await verify(proof, event)).steps.map((s) => s.holds);

it.each(cases.map((c) => [c.event.seq, c] as const))("verifies event %d", async (_, c) => {
  const verdict = await verify(c.proof, c.event);
  expect(verdict.steps.filter((s) => s.holds !== true)).toEqual([]);
  expect(verdict).toMatchObject({ holds: true, whole: true });
});

it.each<[string, Proof, (boolean | undefined)[]]>([
  ["another body", { ...middle.proof, body: btoa("{}") }, [false, true, true, true, true]],
  [
    "a bent path",
    { ...middle.proof, path: middle.proof.path.map((h) => bend(h, 3)) },
    [true, true, false, true, true],
  ],
  [
    "a shorter path",
    { ...middle.proof, path: middle.proof.path.slice(1) },
    [true, true, false, true, true],
  ],
  [
    "a longer path",
    { ...middle.proof, path: [...middle.proof.path, "00"] },
    [true, true, false, true, true],
  ],
  ["another size", { ...middle.proof, size: 1031 }, [true, true, true, false, true]],
  ["a number outside of the tree", { ...middle.proof, seq: 0 }, [true, true, false, true, true]],
  [
    "another root",
    { ...middle.proof, root: bend(middle.proof.root, 9) },
    [true, true, false, false, true],
  ],
  [
    "a signed head that was changed",
    { ...middle.proof, checkpoint: middle.proof.checkpoint?.replace("1032", "1033") ?? "" },
    [true, true, true, false, false],
  ],
  ["no signature", { ...middle.proof, checkpoint: "nothing" }, [true, true, true, false, false]],
  [
    "another key",
    { ...middle.proof, public_key: "fairlead.ledger+00000000+AQAA" },
    [true, true, true, true, false],
  ],
  ["a leaf that is no JSON", { ...middle.proof, leaf: "!" }, [false, false, false, true, true]],
])("refuses %s", async (_, proof, want) => {
  expect(await held(proof, middle.event)).toEqual(want);
  expect((await verify(proof, middle.event)).holds).toBe(false);
});

it("refuses a leaf that says something else than the page", async () => {
  const verdict = await verify(middle.proof, { ...middle.event, actor: "user:eve" });
  expect(verdict.holds).toBe(false);
  expect(verdict.steps[1]).toMatchObject({ holds: false, detail: "These differ: actor" });
});

it("says what it could not check, and does not call it verified", async () => {
  expect(await verify({ ...middle.proof, body: "" }, middle.event)).toMatchObject({
    holds: true,
    whole: false,
  });
  expect(await held({ ...middle.proof, checkpoint: "" }, middle.event)).toEqual([
    true,
    true,
    true,
    undefined,
    undefined,
  ]);
  vi.spyOn(globalThis, "crypto", "get").mockReturnValue({} as Crypto);
  expect(await held(middle.proof, middle.event)).toEqual([
    undefined,
    true,
    undefined,
    true,
    undefined,
  ]);
});
