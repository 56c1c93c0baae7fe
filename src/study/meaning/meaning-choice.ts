import { SepError } from "../../errors.ts";
import type { CorrectnessRule } from "../../text/correctness-rule.ts";
import { type EquivalenceName, MEANING } from "../settings/meaning.ts";
import { resolveSettings, type SettingsInput } from "../settings/setting.ts";

/** How answers are grouped by meaning. */
export type MeaningChoice = SettingsInput<typeof MEANING>;

/** Which NLI model. */
export type EntailerChoice = Pick<MeaningChoice, "nliModel" | "nliDtype" | "nliUrl">;

/**
 * The relation that `auto` stands for. Answers that were graded as mathematics are compared as mathematics, and those
 * that are none as text, so that the built-in question sets never need a model.
 */
export function resolveEquivalence(
  asked: EquivalenceName | "auto",
  rules: Iterable<CorrectnessRule>,
): EquivalenceName {
  if (asked !== "auto") return asked;
  for (const rule of rules) if (rule !== "math") return "hybrid";
  return "math";
}

/** @throws SepError `bad-option` for words that are none of the choices, and choices that contradict each other */
export function checkMeaningChoice(choice: MeaningChoice): void {
  const { equivalence, nliDtype, nliRule, nliThreshold } = resolveSettings(MEANING, choice);
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
