import { z } from "zod";
import { EXIT_PROMISES } from "../../probes/choose-exit-threshold.ts";
import { setting } from "./setting.ts";

/** How a model is made to answer before its reasoning ends. */
export const FORCE_SETTINGS = {
  answerTokens: setting(
    z.int().min(1).default(48),
    "Most tokens of an answer that the model is made to give before its reasoning ends.",
  ),
};

/** What stopping early may cost. */
export const EXIT_SETTINGS = {
  targetRisk: setting(
    z.number().gt(0).lt(1).default(0.05),
    "Largest share of chains that stopping may harm: the answer is wrong, and the whole chain's own is right; docs/exit.md.",
  ),
  giveUpRisk: setting(
    z.number().gt(0).lt(1).default(0.05),
    "Largest share of chains that giving up may harm: the whole chain's own answer is right.",
  ),
  promise: setting(
    z.enum(EXIT_PROMISES).default("realized"),
    "What is promised of these shares. expected: their expectation for a new question. realized: the share among as many new questions, with a probability of --confidence.",
  ),
  confidence: setting(
    z.number().gt(0).lt(1).default(0.95),
    "Probability with which a realized share is at most the target, for --promise realized.",
  ),
  resplits: setting(
    z.int().min(1).default(200),
    "How often the held-out questions are divided anew into calibration and test.",
  ),
};
