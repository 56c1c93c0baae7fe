import { POCKET_MODEL } from "../models/checkpoint/locate-checkpoint.ts";

/** Where nothing else is said. Sampling follows the reasoning pipelines this package continues. */
export const STUDY_DEFAULTS = {
  dataset: "arithmetic",
  ood: "word-problems",
  model: POCKET_MODEL as string,
  runs: 10,
  seed: 42,
  temperature: 0.6,
  /** Of a question's best answer, as in the papers. */
  bestTemperature: 0.1,
  topP: 0.9,
  topK: 0,
  minP: 0,
  repetitionPenalty: 1,
} as const;
