import { z } from "zod";
import { POSITION_INDICES, SINGLE_POSITIONS, TRACE_POSITIONS, UNIT_POSITIONS } from "../../engine/places.ts";
import { POOLINGS } from "../../probes/pooling.ts";
import { PROBE_KINDS } from "../../probes/probe-weights.ts";
import { SE_THRESHOLD_METHODS } from "../../probes/se-threshold.ts";
import { DEFAULT_RATIOS, type SplitRatios } from "../../probes/split-questions.ts";
import { ROW_LABELS } from "../../probes/unit-labels.ts";
import { FIGURE_FORMATS } from "../../report/figure.ts";
import { STATES_DTYPES } from "../../states/write-hidden-states.ts";
import { PROMPT } from "./sampling.ts";
import { flag, inGroup, redescribe, setting, text } from "./setting.ts";

const POSITIONS = z.array(z.enum(TRACE_POSITIONS)).min(1).readonly();

/** Which hidden states are read: step 4. */
export const TRACE_SETTINGS = inGroup("Hidden states", {
  positions: setting(
    z.union([z.literal("all"), POSITIONS]).default("all"),
    `Token positions to read, separated by commas: ${SINGLE_POSITIONS.join(", ")} (all: these), and, with many tokens per answer, ${UNIT_POSITIONS.join(", ")}; docs/places.md.`,
    { placeholder: "LIST|all" },
  ),
  layers: setting(
    z.union([z.literal("all"), z.array(z.int().min(0)).min(1).readonly()]).default("all"),
    "Layers to read, separated by commas; 0 is the embeddings.",
    { placeholder: "LIST|all", noun: "layers from 0" },
  ),
  answers: setting(
    z.enum(["auto", "samples", "best"]).default("auto"),
    "Answers whose hidden states are read. auto: the best answers if there are any, else the samples.",
  ),
});

/** How the states of a trace are stored. */
export const STATES_STORAGE = inGroup("Hidden states", {
  statesDtype: setting(
    z.enum(STATES_DTYPES).default("float32"),
    "Precision in which hidden states are stored. float16 takes half the space; they are read in float32 in any case.",
  ),
});

/** Stretches of answers that a user has marked, in `sep trace`. */
export const MARKED = inGroup("Hidden states", {
  spans: text(
    "FILE",
    "Stretches of answers whose last token is read, for --positions spans: one {question_id, run_id, start, end, label} per line; docs/places.md.",
  ),
});

/** How `sep trace` counts positions, for numbers that can be compared with those of the published code. */
export const INDICES = inGroup("Hidden states", {
  indices: setting(
    z.enum(POSITION_INDICES).default("exact"),
    "How positions are counted. oatml-compat: as in the published code of semantic entropy probes; docs/positions.md.",
  ),
});

/** A model that reads answers of another one, in `sep trace`. */
export const OBSERVER = {
  observer: text(
    "ID|DIR|pocket",
    "Model that reads the answers as text that another model wrote, in place of --model; docs/observer.md.",
    undefined,
    { group: "Hidden states" },
  ),
  ...(Object.fromEntries(
    Object.entries({
      ...PROMPT,
      shots: redescribe(PROMPT.shots, { fallback: "none; few-shot needs them" }),
    }).map(([name, schema]) => [name, redescribe(schema as z.ZodType, { needs: "observer", inFile: false })]),
  ) as typeof PROMPT),
};

/** When a whole run reads hidden states. */
export const TRACE_TIME = inGroup("Hidden states", {
  withStates: flag(
    "Read hidden states in the passes that sample the answers, which saves a pass over them. They equal those of a separate trace up to rounding, not bit for bit; the model samples in float32; docs/batching.md.",
  ),
});

/** What `sep generate` reads beside the answers. */
export const WITH_STATES = {
  withStates: flag(
    "Also do what `sep trace` does, in the passes that sample the answers; not with --dtype int8 or int4; docs/batching.md.",
    { group: "Hidden states" },
  ),
  ...(Object.fromEntries(
    Object.entries({ ...TRACE_SETTINGS, ...INDICES }).map(([name, schema]) => [
      name,
      redescribe(schema as z.ZodType, { needs: "withStates" }),
    ]),
  ) as typeof TRACE_SETTINGS & typeof INDICES),
};

/** How the questions of the first set are divided. */
export const SPLIT = {
  splitRatios: setting(
    z.array(z.number().gt(0)).length(3).refine(addUpToOne).readonly().optional(),
    "Shares of the questions for training, validation and test, separated by commas; docs/pipeline.md.",
    {
      placeholder: "LIST",
      fallback: "the split column of the questions, else 0.7,0.15,0.15",
      expected: "three numbers > 0 that add up to 1, such as 0.6,0.2,0.2",
    },
  ),
};

/** Which token's hidden states become the probes' data: step 5. */
export const DATASET_SETTINGS = inGroup("Probes", {
  position: setting(
    z.enum(["auto", ...TRACE_POSITIONS]).default("auto"),
    "Token position that the probes read. auto: think-end if answers contain reasoning, else second-to-last.",
  ),
  label: setting(
    z.enum(["auto", ...ROW_LABELS]).default("auto"),
    "What label 1 of a row means. final-incorrect: the answer ends wrong; step-incorrect: the arithmetic of the step does not hold; spans: the label in the file of --spans; inconsistent, clusters: what `sep label` measured. auto: spans at that position, else final-incorrect; docs/places.md.",
  ),
  labelThreshold: setting(
    z.union([z.literal("auto"), z.number().min(0)]).default("auto"),
    "Value above which a measured part counts as label 1, for --label inconsistent or clusters. auto: 0.5 for inconsistent; the best split of the training parts, in nats, for clusters.",
  ),
  missingPosition: setting(
    z.enum(["drop", "refuse"]).default("drop"),
    "What to do with answers that have no token at that position, for example because their reasoning was cut off: drop and count them, or stop with an error.",
  ),
  ...SPLIT,
});

/** By the name of each part; those of a study where nothing else is said. */
export const namedRatios = (shares: readonly number[] | undefined): SplitRatios => {
  const { train, val, test } = DEFAULT_RATIOS;
  const [first = train, second = val, third = test] = shares ?? [];
  return { train: first, val: second, test: third };
};

/** Decimal fractions do not add up exactly. */
function addUpToOne(shares: readonly number[]): boolean {
  return Math.abs(shares.reduce((sum, share) => sum + share, 0) - 1) < 1e-9;
}

/** Of `sep dataset` alone. */
export const DATASET_LAYER = inGroup("Probes", {
  layer: setting(
    z.union([z.literal("last"), z.int().min(0)]).default("last"),
    "Layer stored as X_hidden in the data sets, for other tools. Training reads every traced layer in any case.",
  ),
});

/** What a probe is and how it is fitted. */
export const FITTING = inGroup("Probes", {
  seThreshold: setting(
    z.union([z.enum(SE_THRESHOLD_METHODS), z.number().min(0)]).default("best-split"),
    "Semantic entropy above this threshold counts as high: a rule applied to the training questions, or a number of nats.",
  ),
  probe: setting(
    z.enum(PROBE_KINDS).default("logistic"),
    "Kind of probe; all but logistic are for comparison.",
  ),
  layer: setting(
    z.union([z.literal("best"), z.int().min(0)]).default("best"),
    "Layer that the probes read. best: chosen by cross-validation over the training questions.",
  ),
  window: setting(
    z.int().min(1).default(1),
    "Number of consecutive layers that a probe reads, starting at its layer.",
  ),
  c: setting(
    z.union([z.literal("cv"), z.number().gt(0)]).default("cv"),
    "Inverse strength of the L2 penalty. cv: chosen by cross-validation over the training questions.",
  ),
  classWeight: setting(
    z.enum(["none", "balanced"]).default("none"),
    "Class weights in the fit. balanced: both classes weigh the same.",
  ),
});

/** How a probe reads the tokens of a span, in `sep train`. */
const POOLING = {
  pooling: setting(
    z
      .union([
        z.enum(["token", "all"]),
        z
          .array(z.enum(["token", ...POOLINGS]))
          .min(1)
          .readonly(),
      ])
      .default("token"),
    `Ways of reading an answer (or each step, sentence or span) to choose from, separated by commas. token: the state at one token; ${POOLINGS.join(", ")}: those of all its tokens, which needs --positions every-token in the trace; docs/places.md.`,
    { placeholder: "token|LIST|all" },
  ),
  poolWindow: setting(z.int().min(2).default(10), "Tokens that --pooling rolling-max takes the mean over."),
};

/** How the probes are fitted and tested: step 6. */
export const TRAIN_SETTINGS = {
  ...FITTING,
  ...inGroup("Probes", {
    ...POOLING,
    nested: flag(
      "Also estimate the AUROC on new questions by nested cross-validation, which repeats every choice; takes three times as long.",
    ),
    permutations: setting(
      z.int().min(0).default(0),
      "Number of label permutations to refit the probes on, for a permutation test; 0 is no test.",
    ),
  }),
};

/** Where the probes of `sep train` may read; a whole run traces what its `positions` say. */
export const TRAIN_POSITIONS = inGroup("Probes", {
  positions: setting(
    z.union([z.enum(["dataset", "all"]), POSITIONS]).default("dataset"),
    "Token positions to choose from, separated by commas. dataset: the position of the data sets.",
    { placeholder: "dataset|LIST|all", inFile: false },
  ),
});

/** What decisions promise: steps 6 and 7. */
export const TARGETS = inGroup("Decisions", {
  targetRisk: setting(
    z.number().gt(0).lt(1).default(0.1),
    "Largest share of all answers that may be both given and wrong. A threshold that guarantees it is chosen on the validation questions; docs/statistics.md.",
  ),
  targetCoverage: setting(
    z.number().gt(0).lt(1).default(0.8),
    "Smallest share of all answers to give. A threshold that guarantees it is chosen on the validation questions.",
  ),
});

/** What the report's figures are written as. */
export const REPORT_SETTINGS = inGroup("Study and output", {
  figures: setting(
    z.array(z.enum(FIGURE_FORMATS)).min(1).readonly().optional(),
    "Formats of the figures besides CSV, separated by commas: svg, pdf, png; docs/report.md.",
    { fallback: "svg, or the formats already there" },
  ),
});
