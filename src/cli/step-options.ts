import { EQUIVALENCE_NAMES } from "../pipeline/compute-entropy.ts";
import { STUDY_DEFAULTS } from "../pipeline/study-defaults.ts";
import { PROMPT_FORMATS } from "../sampling/build-prompt.ts";
import { TRACE_POSITIONS, type TracePosition } from "../tracing/positions.ts";
import {
  choice,
  flag,
  joinWithOr,
  number,
  type OptionSpec,
  parseNumber,
  text,
  texts,
} from "./option-spec.ts";

/** Options of every step. */
export const OUTPUT_OPTIONS = {
  out: text("DIR", ".", "Folder of the study; data/ and artifacts/ are in it."),
  force: flag("Replace outputs that other settings or inputs made."),
  json: flag("Print one JSON line an event on stdout, the result last."),
  quiet: flag("Print warnings and errors only."),
};

/** Where the questions come from. */
export const QUESTION_OPTIONS = {
  dataset: text(
    "NAME|PATH",
    undefined,
    "In-distribution questions: arithmetic, or a JSONL file.",
    STUDY_DEFAULTS.dataset,
  ),
  ood: text(
    "NAME|PATH|none",
    undefined,
    "Out-of-distribution questions: word-problems, a JSONL file, or none.",
    STUDY_DEFAULTS.ood,
  ),
  limit: number({ integer: true, min: 1 }, undefined, "Questions to take of each set.", "all"),
};

/** Which model, and how it runs. */
export const MODEL_OPTIONS = {
  model: text(
    "DIR|pocket",
    STUDY_DEFAULTS.model,
    "A checkpoint's directory in Hugging Face format, or the embedded model.",
  ),
  backend: choice(
    ["local", "hf"],
    "local",
    "Engine; hf is another name of the local one.",
    "Servers (vllm, nnsight) come with a later version",
  ),
  dtype: choice(
    ["float32"],
    "float32",
    "Precision of the computation.",
    "Half-precision checkpoints load as they are and are computed in float32",
  ),
  threads: number({ integer: true, min: 1 }, undefined, "Threads of the engine.", "the engine's choice"),
};

/** How answers are drawn. */
export const SAMPLING_OPTIONS = {
  runs: number({ integer: true, min: 1 }, STUDY_DEFAULTS.runs, "Answers a question."),
  temperature: number({ min: 0 }, STUDY_DEFAULTS.temperature, "Sampling temperature; 0 is greedy."),
  "top-p": number({ above: 0, max: 1 }, STUDY_DEFAULTS.topP, "Nucleus sampling; 1 is off."),
  "top-k": number({ integer: true, min: 0 }, STUDY_DEFAULTS.topK, "Keep this many tokens; 0 keeps all."),
  "min-p": number(
    { min: 0, below: 1 },
    STUDY_DEFAULTS.minP,
    "Keep tokens of this share of the likeliest one's probability; 0 keeps all.",
  ),
  "repetition-penalty": number(
    { above: 0 },
    STUDY_DEFAULTS.repetitionPenalty,
    "Weakens tokens that were seen before; 1 is off.",
  ),
  "max-new-tokens": number(
    { integer: true, min: 1 },
    undefined,
    "Where generation is cut off.",
    "2048; pocket: 160",
  ),
  stop: texts("TEXT", "Ends an answer where it appears."),
  "prompt-format": choice(
    PROMPT_FORMATS,
    "auto",
    "chat: the model's chat template; notebook: `Question: …` and `Answer:` lines; auto: chat if there is a template.",
  ),
  "system-prompt": text("TEXT", undefined, "System message of every prompt."),
  "no-thinking": flag("Ask the chat template for an answer without reasoning."),
};

export const SEED_OPTION = {
  seed: number({ integer: true, min: 0 }, STUDY_DEFAULTS.seed, "Seed of everything random."),
};

/** Which question set a step works on. */
export const SET_OPTION = {
  set: choice(["both", "math", "ood"], "both", "Question set; a missing ood set is skipped with a note."),
};

export const EQUIVALENCE_OPTION = {
  equivalence: choice(
    EQUIVALENCE_NAMES,
    "math",
    "When two answers mean the same: equal as mathematics, or the same text.",
    "Language models as judges (nli, cosine, judge) come with a later version",
  ),
};

/** What is traced. */
export const TRACE_OPTIONS = {
  positions: list(
    `LIST|all`,
    `Token positions, separated by commas: ${TRACE_POSITIONS.join(", ")}.`,
    `all, or some of ${joinWithOr(TRACE_POSITIONS)} separated by commas`,
    (word) => TRACE_POSITIONS.find((position) => position === word),
  ),
  layers: list(
    "LIST|all",
    "Layers, separated by commas; 0 is the embeddings.",
    "all, or layers from 0 separated by commas",
    (word) => parseNumber(word, { integer: true, min: 0 }),
  ),
};

/** What the probes read. */
export const PROBE_INPUT_OPTIONS = {
  position: choice(
    TRACE_POSITIONS,
    "think-end" satisfies TracePosition,
    "Token position that the probes read.",
  ),
  layer: number({ integer: true, min: 0 }, undefined, "Layer that the probes read.", "the last"),
};

/** How high a semantic entropy counts as high. */
export const THRESHOLD_OPTIONS = {
  "se-threshold": seThreshold(),
};

function seThreshold(): OptionSpec<"best-split" | "median" | "even" | number> {
  const rules = ["best-split", "median", "even"] as const;
  return {
    takesValue: true,
    placeholder: `${rules.join("|")}|N`,
    help: "Semantic entropy above this counts as high; a rule on the training questions, or nats.",
    defaultText: "best-split",
    initial: "best-split",
    expected: `${rules.join(", ")} or a number >= 0`,
    parse: (given) => {
      const text = given.at(-1) as string;
      return rules.find((rule) => rule === text) ?? parseNumber(text, { min: 0 });
    },
  };
}

/** Words separated by commas, each of which must parse; "all" is the default. */
function list<T>(
  placeholder: string,
  help: string,
  expected: string,
  parseWord: (word: string) => T | undefined,
): OptionSpec<"all" | readonly T[]> {
  return {
    takesValue: true,
    placeholder,
    help,
    defaultText: "all",
    initial: "all",
    expected,
    parse: (given) => {
      const text = given.at(-1) as string;
      if (text === "all") return "all";
      const parsed = text.split(",").map((word) => parseWord(word.trim()));
      return parsed.some((item) => item === undefined) ? undefined : (parsed as T[]);
    },
  };
}
