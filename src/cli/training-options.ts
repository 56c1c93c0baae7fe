import type { ClassWeight } from "../probes/fit-logistic.ts";
import { PROBE_KINDS, type ProbeKind } from "../probes/probe-kind.ts";
import { SE_THRESHOLD_METHODS, type SeThresholdChoice } from "../probes/se-threshold.ts";
import type { TracePosition } from "../states/positions.ts";
import { DEFAULT_TARGET_COVERAGE, DEFAULT_TARGET_RISK } from "../study/probes/decision-defaults.ts";
import { choice, flag, number, type OptionSpec } from "./option-spec.ts";
import { POSITION_LIST, wordOrNumber } from "./step-options.ts";

/** How the probes are fitted. */
export const TRAINING_OPTIONS: {
  readonly "se-threshold": OptionSpec<SeThresholdChoice>;
  readonly probe: OptionSpec<ProbeKind>;
  readonly layer: OptionSpec<number | "best">;
  readonly window: OptionSpec<number>;
  readonly c: OptionSpec<number | "cv">;
  readonly "class-weight": OptionSpec<ClassWeight>;
  readonly nested: OptionSpec<boolean>;
  readonly permutations: OptionSpec<number>;
} = {
  "se-threshold": wordOrNumber(
    SE_THRESHOLD_METHODS,
    "best-split",
    { min: 0 },
    "Semantic entropy above this counts as high; a rule on the training questions, or nats.",
  ),
  probe: choice(PROBE_KINDS, "logistic", "What the probes are; the others are there to compare with."),
  layer: wordOrNumber(
    ["best"],
    "best",
    { integer: true, min: 0 },
    "Layer that the probes read; best: by cross-validation.",
  ),
  window: number({ integer: true, min: 1 }, 1, "Layers in a row that a probe reads, from its layer on."),
  c: wordOrNumber(["cv"], "cv", { above: 0 }, "Inverse L2 penalty; cv: by cross-validation."),
  "class-weight": choice(["none", "balanced"], "none", "Weight of the classes in the fit."),
  nested: flag(
    "Also estimate what probes reach on new questions, all choices included; three times the work.",
  ),
  permutations: number({ integer: true, min: 0 }, 0, "Permuted labels to refit and test the probes with."),
};

/** Where the probes of `sep train` may read; a whole run traces what `--positions` says. */
export const TRAINING_POSITIONS_OPTION: {
  readonly positions: OptionSpec<"dataset" | "all" | readonly TracePosition[]>;
} = {
  positions: {
    ...POSITION_LIST,
    placeholder: "dataset|LIST|all",
    help: "Token positions to choose from, separated by commas; dataset: the one the data sets were made for.",
    defaultText: "dataset",
    initial: "dataset",
    expected: `dataset, ${POSITION_LIST.expected}`,
    parse: (given) => (given.at(-1) === "dataset" ? "dataset" : POSITION_LIST.parse(given)),
  },
};

/** What decisions are to promise. */
export const TARGET_OPTIONS: {
  readonly "target-risk": OptionSpec<number>;
  readonly "target-coverage": OptionSpec<number>;
} = {
  "target-risk": number(
    { above: 0, below: 1 },
    DEFAULT_TARGET_RISK,
    "Share of all answers that may be given and wrong; a threshold that promises it is chosen on the validation questions.",
  ),
  "target-coverage": number(
    { above: 0, below: 1 },
    DEFAULT_TARGET_COVERAGE,
    "Share of all answers that is to be given; the same.",
  ),
};
