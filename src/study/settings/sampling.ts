import { z } from "zod";
import { PLAIN_PROMPT_FORMATS } from "../../engine/tokenizer/prompt-format.ts";
import { CORRECTNESS_RULES } from "../../text/open-answer.ts";
import { flag, setting, text } from "./setting.ts";

/** The question sets of a study where nothing else is said. */
export const DEFAULT_DATASET = "arithmetic";
export const DEFAULT_OOD = "word-problems";

/** Where the questions come from: step 1. */
export const PREPARE_SETTINGS = {
  dataset: text(
    "NAME|PATH",
    "In-distribution questions: arithmetic, word-problems, general, or a JSONL file.",
    DEFAULT_DATASET,
  ),
  ood: text(
    "NAME|PATH|none",
    "Out-of-distribution questions: a set as above, a JSONL file, or none.",
    DEFAULT_OOD,
  ),
  limit: setting(z.int().min(1).optional(), "Questions to take of each set, from the first.", {
    fallback: "all",
  }),
};

export const SEED = {
  seed: setting(z.int().min(0).default(42), "Seed of everything random."),
};

/** No model of today takes more tokens. */
const LONGEST_CONTEXT = 10_000_000;

/** The sampler of the reasoning pipelines that this package continues; the same for every model. */
export const STUDY_SAMPLER = {
  temperature: 0.6,
  topP: 0.9,
  topK: 0,
  minP: 0,
  repetitionPenalty: 1,
} as const;

/** One setting of the sampler: without a value of its own, so that `sampler` decides where it comes from. */
const ofSampler = <S extends z.ZodType>(name: keyof typeof STUDY_SAMPLER, schema: S, help: string) =>
  setting(schema.optional(), help, { fallback: String(STUDY_SAMPLER[name]) });

/** How one answer is sampled. */
export const SAMPLER = {
  sampler: setting(
    z.enum(["study", "model"]).default("study"),
    "Where the next five come from if not given: the values shown, or the model's generation_config.json; docs/prompts.md.",
  ),
  temperature: ofSampler("temperature", z.number().min(0), "Sampling temperature; 0 is greedy."),
  topP: ofSampler("topP", z.number().gt(0).max(1), "Nucleus sampling; 1 is off."),
  topK: ofSampler("topK", z.int().min(0), "Keep this many tokens; 0 keeps all."),
  minP: ofSampler(
    "minP",
    z.number().min(0).lt(1),
    "Keep tokens with at least this share of the likeliest token's probability; 0 keeps all.",
  ),
  repetitionPenalty: ofSampler(
    "repetitionPenalty",
    z.number().gt(0),
    "Divides the scores of tokens that were seen before; 1 is off.",
  ),
  maxNewTokens: setting(
    z.int().min(1).max(LONGEST_CONTEXT).optional(),
    "Where generation is cut off; less than the model's context.",
    { fallback: "2048; pocket: 160" },
  ),
  stop: setting(
    z.array(z.string().min(1)).readonly().default([]),
    "Ends an answer where this text appears.",
    {
      placeholder: "TEXT",
      isRepeatable: true,
    },
  ),
};

/** How a question becomes a prompt. */
export const PROMPT = {
  promptFormat: setting(
    z.string().min(1).default("auto"),
    "auto: chat (the model's template) if there is one, else notebook; FILE: a template with {question}; docs/prompts.md.",
    { placeholder: `${PLAIN_PROMPT_FORMATS.join("|")}|few-shot|FILE` },
  ),
  shots: text(
    "NAME|PATH",
    "Questions whose first five are the examples of few-shot.",
    "the set's own first five, which are then not asked",
  ),
  systemPrompt: text("TEXT|@FILE", "System message of every prompt."),
  noThinking: flag("Ask the chat template for an answer without reasoning."),
};

/** How answers are sampled and graded: step 2. */
export const GENERATE_SETTINGS = {
  runs: setting(
    z.int().min(1).default(10),
    "Answers per question; semantic entropy, and so `sep run`, takes 2 or more.",
  ),
  ...SAMPLER,
  ...PROMPT,
  correctness: setting(
    z.enum(["auto", ...CORRECTNESS_RULES]).default("auto"),
    "When an answer is right; auto: math if most reference answers are mathematical, else contains.",
  ),
  adaptive: flag(
    "Stop where further answers cannot change whether the entropy is above --se-threshold, in nats; docs/adaptive-k.md.",
  ),
  bestAnswer: flag(
    "Also sample one careful answer per question, which probes are then trained and evaluated on; docs/best-answers.md.",
  ),
  bestTemperature: setting(
    z.number().min(0).default(0.1),
    "Sampling temperature of --best-answer; 0 is greedy.",
    { needs: "bestAnswer" },
  ),
};

/** What `sep generate` asks for a threshold in: rules take all answers to work out. */
export const ADAPTIVE = {
  seThreshold: setting(
    z.number().min(0).optional(),
    "Threshold of --adaptive: nats of discrete semantic entropy.",
  ),
};
