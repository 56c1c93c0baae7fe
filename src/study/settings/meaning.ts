import { z } from "zod";
import { ENCODER_DTYPES } from "../../engine/encoders/encoder.ts";
import { SE_MODE_NAMES } from "../../entropy/se-mode.ts";
import { CLUSTERINGS } from "../../meaning/cluster-answers.ts";
import { JUDGE_PROMPTS } from "../../meaning/judge-model.ts";
import { ENTAILMENT_RULES } from "../../meaning/nli-equivalence.ts";
import { DEFAULT_EMBEDDING_MODEL, DEFAULT_NLI_MODEL } from "../meaning/encoder-models.ts";
import { setting, text } from "./setting.ts";

/**
 * When two extracted answers mean the same: `math` equal as mathematics; `exact` the same words; `nli` each entails the
 * other by an NLI model; `cosine` similar as sentence vectors; `judge` a language model says so; `hybrid` the same
 * words, else mathematics where both are, else an NLI model.
 */
export const EQUIVALENCE_NAMES = ["math", "exact", "nli", "cosine", "judge", "hybrid"] as const;
export type EquivalenceName = (typeof EQUIVALENCE_NAMES)[number];

/** When two answers mean the same. */
export const EQUIVALENCE = {
  equivalence: setting(
    z.enum(["auto", ...EQUIVALENCE_NAMES]).default("auto"),
    "When two answers mean the same; auto: math for answers graded as mathematics, else hybrid; docs/clusters.md.",
  ),
  nliModel: text("ID|DIR", "NLI model of nli and hybrid.", DEFAULT_NLI_MODEL),
  nliUrl: text(
    "URL",
    "A text-embeddings-inference server with the NLI model; its key in TEI_API_KEY; docs/backends.md.",
    "the local engine",
  ),
  nliDtype: setting(
    z.enum(ENCODER_DTYPES).optional(),
    "Precision of the NLI model; int8 is about twice as fast; docs/nli.md.",
    { fallback: "float32" },
  ),
  nliRule: setting(
    z.enum(ENTAILMENT_RULES).optional(),
    "Each entails the other; or no contradiction and not both neutral; or both probabilities are high.",
    { fallback: "strict" },
  ),
  nliThreshold: setting(
    z.number().min(0).max(1).optional(),
    "Least probability of entailment both ways, for --nli-rule threshold.",
    { fallback: "0.6" },
  ),
  cosineModel: text("ID|DIR", "Sentence embedding model of cosine.", DEFAULT_EMBEDDING_MODEL),
  cosineThreshold: setting(
    z.number().min(-1).max(1).optional(),
    "Least cosine of two answers that mean the same.",
    { fallback: "the model's own" },
  ),
  judgeModel: text("ID|DIR|NAME", "Language model of judge: as --model, or a name on --judge-url."),
  judgeUrl: text("URL", "OpenAI-compatible server of judge; its key in OPENAI_API_KEY.", "the local engine"),
  judgePrompt: setting(
    z.enum(JUDGE_PROMPTS).default("entailment"),
    "Ask the judge both ways whether one answer entails the other, or once whether they mean the same.",
  ),
};

/** When two answers mean the same, and how pairs become groups: step 3. */
export const MEANING = {
  ...EQUIVALENCE,
  clustering: setting(
    z.enum(CLUSTERINGS).default("greedy"),
    "From pairs to groups: by each group's first answer, by chains of pairs, or by the similarity of all answers.",
  ),
};

/** Which numbers step 3 computes of the groups. */
export const ESTIMATE_SETTINGS = {
  estimates: setting(
    z.union([z.enum(["all", "default"]), z.array(z.string().min(1)).readonly()]).default("default"),
    "Uncertainty measures, by name and separated by commas; any but default also shows what each takes; docs/estimates.md.",
    { placeholder: "all|default|LIST", items: "names" },
  ),
  seMode: setting(
    z.enum(SE_MODE_NAMES).optional(),
    "Published variant that semantic_entropy is: how an NLI model's verdicts group answers, weights, formula.",
    { fallback: "nature's formula, groups of the equivalence" },
  ),
};

/** Which language model says how likely answers are true. */
export const P_TRUE = {
  pTrueModel: text(
    "ID|DIR|pocket",
    "Language model that says how likely its answers are true, as --model has it, for the estimate p_false.",
  ),
  pTrueShots: text(
    "FILE",
    "Runs of other questions, known to be right or wrong, to show it as examples; any format of docs/import.md.",
  ),
  pTrueShotCount: setting(z.int().min(1).default(20), "Questions of --p-true-shots to show.", {
    needs: "pTrueShots",
  }),
};
