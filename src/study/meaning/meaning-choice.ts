import { ENCODER_DTYPES, type EncoderDtype } from "../../checkpoint/encoders/encoder-files.ts";
import { SepError } from "../../errors.ts";
import { CLUSTERINGS, type Clustering } from "../../meaning/cluster-questions.ts";
import { ENTAILMENT_RULES, type EntailmentRule } from "../../meaning/entailment-rule.ts";
import { JUDGE_PROMPTS, type JudgePromptName } from "../../meaning/judge-prompt.ts";
import type { CorrectnessRule } from "../../text/correctness-rule.ts";

/**
 * When two extracted answers mean the same: `math` equal as mathematics; `exact` the same words; `nli` each entails the
 * other by a model of inference; `cosine` alike as sentence vectors; `judge` a language model says so; `hybrid` the
 * same words, else mathematics where both are, else a model of inference.
 */
export const EQUIVALENCE_NAMES = ["math", "exact", "nli", "cosine", "judge", "hybrid"] as const;
export type EquivalenceName = (typeof EQUIVALENCE_NAMES)[number];

/** Which model of inference. */
export type EntailerChoice = Pick<MeaningChoice, "nliModel" | "nliDtype" | "nliUrl">;

/** How answers are grouped by meaning. */
export interface MeaningChoice {
  /** `auto` is `math` for runs that were judged as mathematics, else `hybrid`. */
  readonly equivalence?: EquivalenceName | "auto" | undefined;
  /** Model of inference of `nli` and `hybrid`: of the hub, a directory, or an alias. */
  readonly nliModel?: string | undefined;
  /** A text-embeddings-inference server that has the model of inference. */
  readonly nliUrl?: string | undefined;
  /** Arithmetic of the model of inference. */
  readonly nliDtype?: EncoderDtype | undefined;
  /** Of `nli` and `hybrid`; without `threshold` also of the judge. */
  readonly nliRule?: EntailmentRule | undefined;
  readonly nliThreshold?: number | undefined;
  /** Sentence embedding model of `cosine`. */
  readonly cosineModel?: string | undefined;
  readonly cosineThreshold?: number | undefined;
  /** Language model of `judge`: as for `openModel`, or what the server at `judgeUrl` calls it. */
  readonly judgeModel?: string | undefined;
  /** Base address of an OpenAI-compatible server; without it the judge runs on the local engine. */
  readonly judgeUrl?: string | undefined;
  readonly judgePrompt?: JudgePromptName | undefined;
  readonly clustering?: Clustering | undefined;
}

/**
 * The relation that `auto` stands for. Answers that were judged as mathematics are compared as mathematics, and those
 * that are none as text, so that the built-in question sets never need a model.
 */
export function settleEquivalence(
  asked: EquivalenceName | "auto",
  rules: Iterable<CorrectnessRule>,
): EquivalenceName {
  if (asked !== "auto") return asked;
  for (const rule of rules) if (rule !== "math") return "hybrid";
  return "math";
}

/** @throws SepError `bad-option` for words that are none of the choices, and choices that contradict each other */
export function checkMeaningChoice(choice: MeaningChoice): void {
  const { equivalence = "auto", nliDtype, nliRule, nliThreshold, judgePrompt, clustering } = choice;
  requireOneOf("equivalence", equivalence, ["auto", ...EQUIVALENCE_NAMES]);
  requireOneOf("nli dtype", nliDtype ?? "float32", ENCODER_DTYPES);
  requireOneOf("nli rule", nliRule ?? "strict", ENTAILMENT_RULES);
  requireOneOf("judge prompt", judgePrompt ?? "entailment", JUDGE_PROMPTS);
  requireOneOf("clustering", clustering ?? "greedy", CLUSTERINGS);
  if (choice.nliUrl !== undefined && (choice.nliModel !== undefined || nliDtype !== undefined))
    throw new SepError(
      "bad-option",
      "Got an nli server and an nli model or dtype: the server has its own. Leave out --nli-model and --nli-dtype, or --nli-url.",
    );
  if (nliThreshold !== undefined && nliRule !== "threshold")
    throw new SepError(
      "bad-option",
      `Got an nli threshold with the nli rule ${nliRule ?? "strict"}, which has none. Use the rule threshold (--nli-rule threshold).`,
    );
  if (equivalence === "judge" && nliRule === "threshold")
    throw new SepError(
      "bad-option",
      "Got the nli rule threshold for a judge, which gives words and no probabilities. Use strict or lenient.",
    );
  if (equivalence === "judge" && choice.judgeModel === undefined)
    throw new SepError(
      "bad-option",
      "Got the equivalence judge without a judge. Name one with --judge-model, and its server, if it is not to run here, with --judge-url.",
    );
}

function requireOneOf(what: string, got: string, choices: readonly string[]): void {
  if (choices.includes(got)) return;
  throw new SepError(
    "bad-option",
    `The ${what} is ${JSON.stringify(got)}, expected one of ${choices.join(", ")}.`,
  );
}
