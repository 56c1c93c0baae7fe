import { ENCODER_DTYPES, type EncoderDtype } from "../checkpoint/encoders/encoder-files.ts";
import { CLUSTERINGS, type Clustering } from "../meaning/cluster-questions.ts";
import { ENTAILMENT_RULES, type EntailmentRule } from "../meaning/entailment-rule.ts";
import { JUDGE_PROMPTS, type JudgePromptName } from "../meaning/judge-prompt.ts";
import {
  EQUIVALENCE_NAMES,
  type EquivalenceName,
  type MeaningChoice,
} from "../study/meaning/meaning-choice.ts";
import { choice, number, type OptionSpec, type OptionValues, text } from "./option-spec.ts";

/** When two answers mean the same, and how pairs become groups. */
export const MEANING_OPTIONS: {
  readonly equivalence: OptionSpec<EquivalenceName | "auto">;
  readonly "nli-model": OptionSpec<string | undefined>;
  readonly "nli-url": OptionSpec<string | undefined>;
  readonly "nli-dtype": OptionSpec<EncoderDtype | undefined>;
  readonly "nli-rule": OptionSpec<EntailmentRule | undefined>;
  readonly "nli-threshold": OptionSpec<number | undefined>;
  readonly "cosine-model": OptionSpec<string | undefined>;
  readonly "cosine-threshold": OptionSpec<number | undefined>;
  readonly "judge-model": OptionSpec<string | undefined>;
  readonly "judge-url": OptionSpec<string | undefined>;
  readonly "judge-prompt": OptionSpec<JudgePromptName>;
  readonly clustering: OptionSpec<Clustering>;
} = {
  equivalence: choice(
    ["auto", ...EQUIVALENCE_NAMES],
    "auto",
    "When two answers mean the same; auto: math for answers judged as mathematics, else hybrid; docs/clusters.md.",
  ),
  "nli-model": text(
    "ID|DIR",
    undefined,
    "Model of inference for nli and hybrid.",
    "cross-encoder/nli-deberta-v3-small",
  ),
  "nli-url": text(
    "URL",
    undefined,
    "A text-embeddings-inference server with the model of inference; its key in TEI_API_KEY.",
    "the local engine",
  ),
  "nli-dtype": {
    ...choice(
      ENCODER_DTYPES,
      "float32",
      "Arithmetic of the model of inference; int8 is twice as fast; docs/nli.md.",
    ),
    initial: undefined,
  },
  "nli-rule": {
    ...choice(
      ENTAILMENT_RULES,
      "strict",
      "Each entails the other; or no contradiction and not both neutral; or both probabilities are high.",
    ),
    initial: undefined,
  },
  "nli-threshold": number(
    { min: 0, max: 1 },
    undefined,
    "Least probability of entailment both ways, for --nli-rule threshold.",
    "0.6",
  ),
  "cosine-model": text(
    "ID|DIR",
    undefined,
    "Sentence embedding model for cosine.",
    "sentence-transformers/all-MiniLM-L6-v2",
  ),
  "cosine-threshold": number(
    { min: -1, max: 1 },
    undefined,
    "Least cosine of two answers that mean the same.",
    "the model's own",
  ),
  "judge-model": text(
    "ID|DIR|NAME",
    undefined,
    "Language model for judge: as --model, or a name on --judge-url.",
  ),
  "judge-url": text(
    "URL",
    undefined,
    "OpenAI-compatible server for judge; its key in OPENAI_API_KEY.",
    "the local engine",
  ),
  "judge-prompt": choice(
    JUDGE_PROMPTS,
    "entailment",
    "Ask the judge both ways whether one answer entails the other, or once whether they mean the same.",
  ),
  clustering: choice(
    CLUSTERINGS,
    "greedy",
    "From pairs to groups: by each group's first answer, by chains of pairs, or by how alike all answers are.",
  ),
};

/** What the meaning options ask for. */
export function readMeaningChoice(values: OptionValues<typeof MEANING_OPTIONS>): MeaningChoice {
  return {
    equivalence: values.equivalence,
    nliModel: values["nli-model"],
    nliUrl: values["nli-url"],
    nliDtype: values["nli-dtype"],
    nliRule: values["nli-rule"],
    nliThreshold: values["nli-threshold"],
    cosineModel: values["cosine-model"],
    cosineThreshold: values["cosine-threshold"],
    judgeModel: values["judge-model"],
    judgeUrl: values["judge-url"],
    judgePrompt: values["judge-prompt"],
    clustering: values.clustering,
  };
}
