import type { UseQueryResult } from "@tanstack/react-query";
import { failureOf } from "../../components/State";
import { ShieldAlert, ShieldCheck, ShieldQuestion, ShieldX, type LucideIcon } from "lucide-react";
import type { Tone } from "../../components/Badge";
import type { Verdict } from "../../data/proof";
import css from "./audit.module.css";

type ProofResult = UseQueryResult<{ proof: { leaf: string }; verdict: Verdict }>;

/** What a proof has come to, in a word and in a sentence. */
export function outcome(verdict: Verdict): {
  word: string;
  why: string;
  tone: Tone;
  sign: LucideIcon;
} {
  const broken = verdict.steps.find((s) => s.holds === false);
  if (broken)
    return { word: "Broken", why: `Does not hold: ${broken.name}`, tone: "bad", sign: ShieldX };
  const skipped = verdict.steps.find((s) => s.holds === undefined);
  if (skipped)
    return {
      word: "Unchecked",
      why: skipped.detail,
      tone: "warn",
      sign: ShieldAlert,
    };
  return {
    word: "Verified",
    why: "Your browser has checked its body, its place in the tree, and the signed head",
    tone: "good",
    sign: ShieldCheck,
  };
}

/** Whether an entry's proof holds. */
export function ProofMark({ query }: { query: ProofResult }) {
  const failure = failureOf(query);
  if (failure != null) {
    return (
      <Mark
        word="No proof"
        why={failure instanceof Error ? failure.message : "It could not be loaded"}
        tone="warn"
        sign={ShieldAlert}
      />
    );
  }
  if (!query.data) {
    return (
      <Mark word="Checking" why="Its proof is being checked" tone="none" sign={ShieldQuestion} />
    );
  }
  return <Mark {...outcome(query.data.verdict)} />;
}

function Mark(props: { word: string; why: string; tone: Tone; sign: LucideIcon }) {
  return (
    <span data-tip={props.why} className={css.mark} data-tone={props.tone} tabIndex={0}>
      <props.sign size={14} aria-hidden />
      {props.word}
    </span>
  );
}
