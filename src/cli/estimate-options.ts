import type { EstimateChoice } from "../entropy/measures/estimate-registry.ts";
import { SE_MODE_NAMES, type SeModeName } from "../entropy/se-mode.ts";
import { DEFAULT_P_TRUE_SHOTS } from "../study/entropy/read-p-true-shots.ts";
import { joinWithOr, number, type OptionSpec, text } from "./option-spec.ts";

/** Which numbers `sep entropy` computes. */
export const ESTIMATE_OPTIONS: {
  readonly estimates: OptionSpec<EstimateChoice>;
  readonly "se-mode": OptionSpec<SeModeName | undefined>;
} = {
  estimates: {
    takesValue: true,
    placeholder: "all|default|LIST",
    help: "Estimates of uncertainty, by name and separated by commas; docs/estimates.md lists them.",
    defaultText: "default",
    initial: "default",
    expected: "all, default, or names separated by commas",
    parse: (given) => {
      const words = given.at(-1) as string;
      if (words === "all" || words === "default") return words;
      const names = words.split(",").map((name) => name.trim());
      return names.includes("") ? undefined : names;
    },
  },
  "se-mode": {
    takesValue: true,
    placeholder: SE_MODE_NAMES.join("|"),
    help: "Published variant that semantic_entropy is: how an NLI model's verdicts group answers, weights, formula.",
    defaultText: "nature's formula, groups of the equivalence",
    initial: undefined,
    expected: joinWithOr(SE_MODE_NAMES),
    parse: (given) => SE_MODE_NAMES.find((name) => name === given.at(-1)),
  },
};

/** Who judges whether answers are true. */
export const P_TRUE_OPTIONS: {
  readonly "p-true-model": OptionSpec<string | undefined>;
  readonly "p-true-shots": OptionSpec<string | undefined>;
  readonly "p-true-shot-count": OptionSpec<number>;
} = {
  "p-true-model": text(
    "ID|DIR|pocket",
    undefined,
    "Language model that says how likely its answers are true, as --model has it, for the estimate p_false.",
  ),
  "p-true-shots": text(
    "FILE",
    undefined,
    "Runs of other questions, known to be right or wrong, to show it as examples; any format of docs/import.md.",
  ),
  "p-true-shot-count": number(
    { min: 1, integer: true },
    DEFAULT_P_TRUE_SHOTS,
    "Questions of --p-true-shots to show.",
  ),
};

/** Samples that were drawn elsewhere. */
export const IMPORT_OPTIONS: {
  readonly runs: OptionSpec<string | undefined>;
  readonly to: OptionSpec<string | undefined>;
} = {
  runs: text(
    "FILE",
    undefined,
    "Samples that were drawn elsewhere, in one of the formats of docs/import.md, instead of the study's.",
  ),
  to: text("FILE", undefined, "With --runs: where the scores go.", "data/NAME_semantic_entropy.jsonl"),
};
