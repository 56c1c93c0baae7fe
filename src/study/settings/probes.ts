import { z } from "zod";
import { POSITION_INDICES, TRACE_POSITIONS } from "../../engine/places.ts";
import { PROBE_KINDS } from "../../probes/probe-weights.ts";
import { SE_THRESHOLD_METHODS } from "../../probes/se-threshold.ts";
import { FIGURE_FORMATS } from "../../report/figure.ts";
import { flag, setting } from "./setting.ts";

const POSITIONS = z.array(z.enum(TRACE_POSITIONS)).min(1).readonly();

/** Which hidden states are read: step 4. */
export const TRACE_SETTINGS = {
  positions: setting(
    z.union([z.literal("all"), POSITIONS]).default("all"),
    `Token positions, separated by commas: ${TRACE_POSITIONS.join(", ")}; docs/positions.md.`,
    { placeholder: "LIST|all" },
  ),
  layers: setting(
    z.union([z.literal("all"), z.array(z.int().min(0)).min(1).readonly()]).default("all"),
    "Layers, separated by commas; 0 is the embeddings.",
    { placeholder: "LIST|all", items: "layers from 0" },
  ),
  answers: setting(
    z.enum(["auto", "samples", "best"]).default("auto"),
    "Whose states are read; auto is the best answers' where there are any, else the samples'.",
  ),
};

/** How `sep trace` counts positions, for numbers that stand beside those of the published code. */
export const INDICES = {
  indices: setting(
    z.enum(POSITION_INDICES).default("exact"),
    "How positions are counted; oatml-compat: as the published code of semantic entropy probes does; docs/positions.md.",
  ),
};

/** Which token's hidden states become the probes' data: step 5. */
export const DATASET_SETTINGS = {
  position: setting(
    z.enum(["auto", ...TRACE_POSITIONS]).default("auto"),
    "Token position that the probes read; auto is think-end where answers reason, else second-to-last.",
  ),
  missingPosition: setting(
    z.enum(["drop", "refuse"]).default("drop"),
    "Answers without that token, e.g. with reasoning cut off: drop and count them, or stop.",
  ),
};

/** Of `sep dataset` alone. */
export const DATASET_LAYER = {
  layer: setting(
    z.union([z.literal("last"), z.int().min(0)]).default("last"),
    "Layer of X_hidden in the data sets, for other tools; training reads every traced layer whatever it is.",
  ),
};

/** What a probe is and how it is fitted. */
export const FITTING = {
  seThreshold: setting(
    z.union([z.enum(SE_THRESHOLD_METHODS), z.number().min(0)]).default("best-split"),
    "Semantic entropy above this counts as high; a rule on the training questions, or nats.",
  ),
  probe: setting(
    z.enum(PROBE_KINDS).default("logistic"),
    "What the probes are; all but logistic are there to compare with.",
  ),
  layer: setting(
    z.union([z.literal("best"), z.int().min(0)]).default("best"),
    "Layer that the probes read; best: by cross-validation within the training questions.",
  ),
  window: setting(z.int().min(1).default(1), "Consecutive layers that a probe reads, from its layer on."),
  c: setting(
    z.union([z.literal("cv"), z.number().gt(0)]).default("cv"),
    "Inverse strength of the L2 penalty; cv: by cross-validation within the training questions.",
  ),
  classWeight: setting(z.enum(["none", "balanced"]).default("none"), "Weight of the classes in the fit."),
};

/** How the probes are fitted and tested: step 6. */
export const TRAIN_SETTINGS = {
  ...FITTING,
  nested: flag(
    "Also estimate what probes reach on new questions, all choices included; three times the work.",
  ),
  permutations: setting(
    z.int().min(0).default(0),
    "Permutations of the labels to refit and test the probes with; 0 for no test.",
  ),
};

/** Where the probes of `sep train` may read; a whole run traces what its `positions` say. */
export const TRAIN_POSITIONS = {
  positions: setting(
    z.union([z.enum(["dataset", "all"]), POSITIONS]).default("dataset"),
    "Token positions to choose from, separated by commas; dataset: the one that the data sets were made for.",
    { placeholder: "dataset|LIST|all", inFile: false },
  ),
};

/** What decisions promise: steps 6 and 7. */
export const TARGETS = {
  targetRisk: setting(
    z.number().gt(0).lt(1).default(0.1),
    "Share of all answers that may be given and wrong; a threshold that promises it is chosen on the validation questions; docs/statistics.md.",
  ),
  targetCoverage: setting(
    z.number().gt(0).lt(1).default(0.8),
    "Share of all answers to give; a threshold that promises it is chosen likewise.",
  ),
};

/** What the report's figures are written as. */
export const REPORT_SETTINGS = {
  figures: setting(
    z.array(z.enum(FIGURE_FORMATS)).min(1).readonly().optional(),
    "Formats of the figures, separated by commas, beside CSV: svg, pdf, png; docs/report.md.",
    { fallback: "svg, or as they are there" },
  ),
};
