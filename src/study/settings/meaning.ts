import { z } from "zod";
import { ENCODER_DTYPES } from "../../engine/encoders/encoder.ts";
import { SE_MODE_NAMES } from "../../entropy/se-mode.ts";
import { CLUSTERINGS } from "../../meaning/cluster-answers.ts";
import { JUDGE_PROMPTS } from "../../meaning/judge-model.ts";
import { ENTAILMENT_RULES } from "../../meaning/nli-equivalence.ts";
import { DEFAULT_EMBEDDING_MODEL, DEFAULT_NLI_MODEL } from "../meaning/encoder-models.ts";
import { inGroup, redescribe, type Settings, setting, text } from "./setting.ts";

/**
 * When two extracted answers mean the same: `math` equal as mathematics; `exact` the same words; `nli` each entails the
 * other by an NLI model; `cosine` similar as sentence vectors; `judge` a language model says so; `hybrid` the same
 * words, else mathematics where both are, else an NLI model.
 */
export const EQUIVALENCE_NAMES = ["math", "exact", "nli", "cosine", "judge", "hybrid"] as const;
export type EquivalenceName = (typeof EQUIVALENCE_NAMES)[number];

/** Settings that only these rules use. */
const readBy = <S extends Settings>(equivalences: readonly string[], settings: S): S =>
  Object.fromEntries(
    Object.entries(settings).map(([name, schema]) => [name, redescribe(schema, { equivalences })]),
  ) as S;

const FOR_MEASURES = { isForMeasures: true } as const;
const FOR_GRADES = { graders: ["judge"] } as const;

/** When two answers mean the same. */
export const EQUIVALENCE = inGroup("Meaning and entropy", {
  equivalence: setting(
    z.enum(["auto", ...EQUIVALENCE_NAMES]).default("auto"),
    "Rule that decides whether two answers mean the same. auto: math for answers graded as mathematics, else hybrid; docs/clusters.md.",
  ),
  ...readBy(["auto", "nli", "hybrid"], {
    nliModel: text("ID|DIR", "NLI model for nli and hybrid.", DEFAULT_NLI_MODEL, FOR_MEASURES),
    nliUrl: text(
      "URL",
      "Address of a text-embeddings-inference server with the NLI model; its key is read from TEI_API_KEY; docs/backends.md.",
      "the local engine",
      FOR_MEASURES,
    ),
    nliDtype: setting(
      z.enum(ENCODER_DTYPES).optional(),
      "Precision of the NLI model; int8 is about twice as fast; docs/nli.md.",
      { fallback: "float32", ...FOR_MEASURES },
    ),
    nliThreshold: setting(
      z.number().min(0).max(1).optional(),
      "Smallest entailment probability in both directions, for --nli-rule threshold.",
      { fallback: "0.6" },
    ),
  }),
  ...readBy(["auto", "nli", "hybrid", "judge"], {
    nliRule: setting(
      z.enum(ENTAILMENT_RULES).optional(),
      "When two answers mean the same, by the NLI model: strict: each entails the other; lenient: neither contradicts the other and not both verdicts are neutral; threshold: both entailment probabilities reach --nli-threshold.",
      { fallback: "strict" },
    ),
  }),
  ...readBy(["cosine"], {
    cosineModel: text(
      "ID|DIR",
      "Sentence embedding model for cosine.",
      DEFAULT_EMBEDDING_MODEL,
      FOR_MEASURES,
    ),
    cosineThreshold: setting(
      z.number().min(-1).max(1).optional(),
      "Smallest cosine similarity at which two answers mean the same.",
      { fallback: "the model's own" },
    ),
  }),
  ...readBy(["judge"], {
    judgeModel: text(
      "ID|DIR|NAME",
      "Language model for --equivalence judge and --correctness judge: as for --model, or its name on --judge-url.",
      undefined,
      FOR_GRADES,
    ),
    judgeUrl: text(
      "URL",
      "Address of an OpenAI-compatible server for the judge; its key is read from OPENAI_API_KEY.",
      "the local engine",
      FOR_GRADES,
    ),
    judgePrompt: setting(
      z.enum(JUDGE_PROMPTS).default("entailment"),
      "entailment asks the judge in both directions whether one answer entails the other; yes-no asks once whether they mean the same.",
    ),
  }),
});

/** When two answers mean the same, and how pairs become groups: step 3. */
export const MEANING = {
  ...EQUIVALENCE,
  ...inGroup("Meaning and entropy", {
    clustering: setting(
      z.enum(CLUSTERINGS).default("greedy"),
      "How pairs become clusters: greedy compares with each cluster's first answer, components follows chains of pairs, spectral uses the similarities of all answers.",
    ),
  }),
};

/** Which numbers step 3 computes of the groups. */
export const ESTIMATE_SETTINGS = inGroup("Meaning and entropy", {
  estimates: setting(
    z.union([z.enum(["all", "default"]), z.array(z.string().min(1)).readonly()]).default("default"),
    "Uncertainty measures to compute, by name and separated by commas; default in a list stands for the usual ones. Anything but default also prints what each one costs; docs/estimates.md.",
    { placeholder: "all|default|LIST", noun: "names" },
  ),
  seMode: setting(
    z.enum(SE_MODE_NAMES).optional(),
    "Published variant to compute as semantic_entropy: clustering of an NLI model's verdicts, weights and formula.",
    { fallback: "nature's formula, clusters by --equivalence" },
  ),
});

/** Which language model says how likely answers are true. */
export const P_TRUE = inGroup("Meaning and entropy", {
  pTrueModel: text(
    "ID|DIR|pocket",
    "Language model that estimates how likely each answer is true, for the measure p_false; given as for --model.",
  ),
  pTrueShots: text(
    "FILE",
    "Graded answers to other questions, shown to --p-true-model as examples; any format of docs/import.md.",
  ),
  pTrueShotCount: setting(z.int().min(1).default(20), "Number of questions from --p-true-shots to show.", {
    needs: "pTrueShots",
  }),
});
