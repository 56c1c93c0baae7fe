import { z } from "zod";
import { PLAIN_PROMPT_FORMATS } from "../../engine/tokenizer/prompt-format.ts";
import { UNANSWERABLE } from "../../samples/question-formats.ts";
import { CORRECTNESS_RULES } from "../../text/open-answer.ts";
import { flag, inGroup, redescribe, type SettingsOutput, setting, text } from "./setting.ts";

/** The question sets of a study where nothing else is said. */
export const DEFAULT_DATASET = "arithmetic";
export const DEFAULT_OOD = "word-problems";

/** Where the questions come from: step 1. */
export const PREPARE_SETTINGS = {
  dataset: text(
    "NAME|PATH",
    "In-distribution questions: arithmetic, word-problems, general, a data set that is downloaded, such as trivia-qa or squad-2:train, or a file (JSONL, JSON, Parquet); docs/questions.md.",
    DEFAULT_DATASET,
  ),
  ood: text("NAME|PATH|none", "Out-of-distribution questions: as for --dataset, or none.", DEFAULT_OOD),
  limit: setting(z.int().min(1).optional(), "Number of questions to take from each set, from the first on.", {
    fallback: "all",
  }),
  shuffleQuestions: flag(
    "Put the questions of each set into a random order, by --seed, before --limit takes the first ones.",
  ),
  unanswerable: setting(
    z.enum(UNANSWERABLE).default("drop"),
    "What becomes of questions that their set marks as unanswerable, as SQuAD 2 does. keep: the reference answer is then 'unanswerable'.",
  ),
  noContext: flag("Leave out the texts that a set's questions are about, as those of SQuAD are."),
};

export const SEED = inGroup("Study and output", {
  seed: setting(z.int().min(0).default(42), "Seed for everything random."),
});

/** Two seeds: one for what a model samples, one for what is made of the answers. */
export const SEEDS = {
  seed: redescribe(SEED.seed, {
    help: "Seed of the sampling, and of everything else random unless --split-seed is given.",
  }),
  splitSeed: setting(
    z.int().min(0).optional(),
    "Seed of splits, fits and resampling. With another one, no answer is sampled or traced again.",
    { fallback: "as --seed" },
  ),
};

/** Repetitions of what `--split-seed` seeds. */
export const REPEATS = {
  seeds: setting(
    z.string().refine(isSeedList).optional(),
    "Also repeat splits and fits with each of these seeds, in seeds/SEED/, and report means and intervals; nothing is sampled again; docs/compare.md.",
    {
      placeholder: "LIST",
      fallback: "no repetition",
      expected:
        "two or more different seeds from 0, as ranges and numbers separated by commas, such as 1..5 or 1,2,7",
    },
  ),
};

/** "1..3,8" -> [1, 2, 3, 8] @returns null for what is not such a list */
export function parseSeeds(text: string): readonly number[] | null {
  const seeds = text.split(",").flatMap((part) => {
    const [, first, last = first] = /^\s*(\d{1,9})(?:\.\.(\d{1,9}))?\s*$/.exec(part) ?? [];
    if (first === undefined) return [Number.NaN];
    const count = Number(last) - Number(first) + 1;
    return count < 1 || count > MOST_SEEDS
      ? [Number.NaN]
      : Array.from({ length: count }, (_, i) => Number(first) + i);
  });
  const isList = seeds.length >= 2 && seeds.length <= MOST_SEEDS && new Set(seeds).size === seeds.length;
  return isList && !seeds.some(Number.isNaN) ? seeds : null;
}

/** Each has probes and data sets of its own on the disk. */
const MOST_SEEDS = 1000;

function isSeedList(text: string): boolean {
  return parseSeeds(text) !== null;
}

/** The seed of splits, fits and resampling. */
export const splitSeedOf = ({ seed, splitSeed }: SettingsOutput<typeof SEEDS>): number => splitSeed ?? seed;

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
export const SAMPLER = inGroup("Sampling and grading", {
  sampler: setting(
    z.enum(["study", "model"]).default("study"),
    "Source of --temperature, --top-p, --top-k, --min-p and --repetition-penalty where they are not given. study: the defaults shown here; model: the model's generation_config.json; docs/prompts.md.",
  ),
  temperature: ofSampler("temperature", z.number().min(0), "Sampling temperature; 0 is greedy."),
  topP: ofSampler(
    "topP",
    z.number().gt(0).max(1),
    "Nucleus sampling: keep the likeliest tokens up to this total probability; 1 is off.",
  ),
  topK: ofSampler("topK", z.int().min(0), "Keep this many of the likeliest tokens; 0 keeps all."),
  minP: ofSampler(
    "minP",
    z.number().min(0).lt(1),
    "Keep tokens that are at least this fraction as likely as the likeliest one; 0 keeps all.",
  ),
  repetitionPenalty: ofSampler(
    "repetitionPenalty",
    z.number().gt(0),
    "Lower the logits of tokens that occurred before by this factor; 1 is off.",
  ),
  maxNewTokens: setting(
    z.int().min(1).max(LONGEST_CONTEXT).optional(),
    "Most tokens per answer; must be less than the model's context.",
    { fallback: "2048; pocket: 160" },
  ),
  stop: setting(z.array(z.string().min(1)).readonly().default([]), "End an answer where this text appears.", {
    placeholder: "TEXT",
    isRepeatable: true,
  }),
});

/** How a question becomes a prompt. */
export const PROMPT = inGroup("Prompt", {
  promptFormat: setting(
    z.string().min(1).default("auto"),
    "How a question becomes a prompt. auto: chat (the model's chat template) if there is one, else notebook; FILE: a template that contains {question}; docs/prompts.md.",
    { placeholder: `${PLAIN_PROMPT_FORMATS.join("|")}|few-shot|FILE` },
  ),
  shots: text(
    "NAME|PATH",
    "Question set whose first five questions are the examples of --prompt-format few-shot.",
    "the first five of the set itself, which are then not asked",
  ),
  systemPrompt: text("TEXT|@FILE", "System message for every prompt, or a file that contains it."),
  noThinking: flag("Tell the chat template to turn reasoning off."),
});

/** How answers are sampled and graded: step 2. */
export const GENERATE_SETTINGS = {
  runs: setting(
    z.int().min(1).default(10),
    "Answers per question; semantic entropy, and so `sep run`, needs 2 or more.",
  ),
  ...SAMPLER,
  ...PROMPT,
  ...inGroup("Sampling and grading", {
    correctness: setting(
      z.enum(["auto", ...CORRECTNESS_RULES, "judge"]).default("auto"),
      "What decides whether an answer is correct: a rule, or judge, a language model (--judge-model). auto: math if most reference answers are mathematical, else contains; docs/prompts.md.",
    ),
    labels: text(
      "FILE",
      "Grades of your own in place of --correctness: one {question_id, run_id, correct} per line; docs/prompts.md.",
    ),
    adaptive: flag(
      "Stop sampling answers to a question once further answers cannot change whether its entropy is above --se-threshold, in nats; docs/adaptive-k.md.",
    ),
    bestAnswer: flag(
      "Also sample one low-temperature answer per question, and train and evaluate the probes on these; docs/best-answers.md.",
    ),
    bestTemperature: setting(
      z.number().min(0).default(0.1),
      "Sampling temperature of --best-answer; 0 is greedy.",
      { needs: "bestAnswer" },
    ),
  }),
};

/** What `sep generate` asks for a threshold in: rules take all answers to work out. */
export const ADAPTIVE = inGroup("Sampling and grading", {
  seThreshold: setting(
    z.number().min(0).optional(),
    "Threshold for --adaptive: discrete semantic entropy in nats.",
  ),
});
