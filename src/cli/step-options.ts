import { MODEL_DTYPES, type ModelDtype } from "../engine/language-model.ts";
import { DEVICE_CHOICES, type DeviceChoice } from "../engine/runtime/device.ts";
import { FIGURE_FORMATS, type FigureFormat } from "../report/figure.ts";
import { TRACE_POSITIONS, type TracePosition } from "../states/positions.ts";
import { STUDY_DEFAULTS } from "../study/study-options.ts";
import type { AnswerRole } from "../study/tracing/traced-answers.ts";
import type { DataSetName } from "../study/workspace.ts";
import {
  choice,
  describeRange,
  flag,
  joinWithOr,
  type NumberRange,
  number,
  type OptionSpec,
  parseNumber,
  text,
} from "./option-spec.ts";

/** Options of every step. */
export const OUTPUT_OPTIONS: {
  readonly out: OptionSpec<string>;
  readonly force: OptionSpec<boolean>;
  readonly json: OptionSpec<boolean>;
  readonly quiet: OptionSpec<boolean>;
} = {
  out: text("DIR", ".", "Folder of the study; data/ and artifacts/ are in it."),
  force: flag("Replace outputs that other settings or inputs made."),
  json: flag("Print one JSON line an event on stdout, the result last."),
  quiet: flag("Print warnings and errors only."),
};

/** Where the questions come from. */
export const QUESTION_OPTIONS: {
  readonly dataset: OptionSpec<string | undefined>;
  readonly ood: OptionSpec<string | undefined>;
} = {
  dataset: text(
    "NAME|PATH",
    undefined,
    "In-distribution questions: arithmetic, word-problems, general, or a JSONL file.",
    STUDY_DEFAULTS.dataset,
  ),
  ood: text(
    "NAME|PATH|none",
    undefined,
    "Out-of-distribution questions: a set as above, a JSONL file, or none.",
    STUDY_DEFAULTS.ood,
  ),
};

/** How many of the questions. */
export const LIMIT_OPTION: { readonly limit: OptionSpec<number | undefined> } = {
  limit: number({ integer: true, min: 1 }, undefined, "Questions to take of each set.", "all"),
};

/** Which model, and how it runs. */
export const MODEL_OPTIONS: {
  readonly model: OptionSpec<string>;
  readonly backend: OptionSpec<"local" | "hf">;
  readonly dtype: OptionSpec<ModelDtype>;
  readonly device: OptionSpec<DeviceChoice>;
  readonly threads: OptionSpec<number | undefined>;
  readonly memory: OptionSpec<number | undefined>;
} = {
  model: text(
    "ID|DIR|pocket",
    STUDY_DEFAULTS.model,
    "A model of the Hugging Face hub (org/name, org/name@revision), a checkpoint's directory, or the embedded model.",
  ),
  backend: choice(
    ["local", "hf"],
    "local",
    "Engine; hf is another name of the local one.",
    "vLLM is for sep generate, trace and run",
  ),
  dtype: choice(
    MODEL_DTYPES,
    "float32",
    "Arithmetic of the model's matrices; int8 draws answers fastest, int4 takes least memory. `sep run` reads hidden states in float32 always.",
    "Half-precision checkpoints load as they are and are computed in float32",
  ),
  device: choice(
    DEVICE_CHOICES,
    "cpu",
    "What computes the model; auto: cuda or dml where one works, else cpu. What each needs: docs/devices.md.",
    "`sep doctor` shows which work here",
  ),
  threads: number(
    { integer: true, min: 1 },
    undefined,
    "Threads of the engine.",
    "all that this machine or container has",
  ),
  memory: number(
    { above: 0 },
    undefined,
    "GiB that the copies of the model may take together.",
    "a quarter of what this machine or container has",
  ),
};

/** What the report's figures are written as. */
export const FIGURE_OPTIONS: {
  readonly figures: OptionSpec<readonly FigureFormat[] | undefined>;
} = {
  figures: {
    takesValue: true,
    placeholder: "LIST",
    help: "Formats of the figures, beside CSV: svg, pdf, png.",
    defaultText: "svg, or as they are there",
    initial: undefined,
    expected: `some of ${joinWithOr(FIGURE_FORMATS)} separated by commas`,
    parse: (given) => {
      const words = (given.at(-1) as string).split(",").map((word) => word.trim());
      const formats = FIGURE_FORMATS.filter((format) => words.includes(format));
      return words.every((word) => formats.some((format) => format === word)) ? formats : undefined;
    },
  },
};

export const SEED_OPTION: {
  readonly seed: OptionSpec<number>;
} = {
  seed: number({ integer: true, min: 0 }, STUDY_DEFAULTS.seed, "Seed of everything random."),
};

/** Which question set a step works on. */
export const SET_OPTION: {
  readonly set: OptionSpec<"both" | DataSetName>;
} = {
  set: choice(["both", "math", "ood"], "both", "Question set; a missing ood set is skipped with a note."),
};

/** Token positions, as a list. */
export const POSITION_LIST: OptionSpec<"all" | readonly TracePosition[]> = list(
  `LIST|all`,
  `Token positions, separated by commas: ${TRACE_POSITIONS.join(", ")}.`,
  `all, or some of ${joinWithOr(TRACE_POSITIONS)} separated by commas`,
  (word) => TRACE_POSITIONS.find((position) => position === word),
);

/** What is traced. */
export const TRACE_OPTIONS: {
  readonly positions: OptionSpec<"all" | readonly TracePosition[]>;
  readonly layers: OptionSpec<"all" | readonly number[]>;
  readonly answers: OptionSpec<AnswerRole | "auto">;
} = {
  positions: POSITION_LIST,
  layers: list(
    "LIST|all",
    "Layers, separated by commas; 0 is the embeddings.",
    "all, or layers from 0 separated by commas",
    (word) => parseNumber(word, { integer: true, min: 0 }),
  ),
  answers: choice(
    ["auto", "samples", "best"],
    "auto",
    "Whose states are read; auto is the best answers' where there are any, else the samples'.",
  ),
};

/** Which token's hidden states become the probes' data. */
export const POSITION_OPTIONS: {
  readonly position: OptionSpec<TracePosition | "auto">;
  readonly "missing-position": OptionSpec<"drop" | "refuse">;
} = {
  position: choice(
    ["auto", ...TRACE_POSITIONS],
    "auto",
    "Token position that the probes read; auto is think-end where answers reason, else second-to-last.",
  ),
  "missing-position": choice(
    ["drop", "refuse"],
    "drop",
    "Answers without that token, e.g. with reasoning cut off: drop and count them, or stop.",
  ),
};

/** Layer of the data sets' `X_hidden`; training reads all traced layers whatever it is. */
export const EXPORT_OPTIONS: {
  readonly layer: OptionSpec<number | "last">;
} = {
  layer: wordOrNumber(["last"], "last", { integer: true, min: 0 }, "Layer of X_hidden in the data sets."),
};

/** One of a few words, or a number. */
export function wordOrNumber<const W extends string>(
  words: readonly W[],
  initial: W,
  range: NumberRange,
  help: string,
): OptionSpec<W | number> {
  return {
    takesValue: true,
    placeholder: `${words.join("|")}|N`,
    help,
    defaultText: initial,
    initial,
    expected: joinWithOr([...words, describeRange(range)]),
    parse: (given) => {
      const text = given.at(-1) as string;
      return words.find((word) => word === text) ?? parseNumber(text, range);
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
