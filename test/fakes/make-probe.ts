import type { Familiarity, Probe } from "../../src/probes/probe.ts";

/** A small probe of two features whose numbers can be worked out by hand. */
export function makeProbe(changes: Partial<Probe> = {}): Probe {
  return {
    kind: "logistic",
    target: "incorrect",
    features: "hidden-state",
    position: "think-end",
    layer: 2,
    layer_count: 1,
    width: 2,
    source: { model: "m", norm_state: "residual" },
    C: 0.01,
    class_weight: "none",
    intercept: -0.5,
    training: {
      row_count: 10,
      question_count: 5,
      positive_count: 4,
      dropped_rows: 0,
      seed: 42,
      folds: 5,
      layer_scores: [],
      penalty_scores: [],
      relative_error: 1e-9,
      calibration: null,
      nested: null,
      permutation: null,
    },
    calibration_map: { method: "platt", slope: 2, offset: 0.25 },
    score_deciles: null,
    decisions: [{ kind: "risk", target: 0.1, threshold: null, reason: "too few" }],
    asking: null,
    warnings: [],
    mean: Float32Array.of(1, 2),
    scale: Float32Array.of(2, 0.5),
    coefficients: Float32Array.of(0.25, -1.5),
    hidden: null,
    familiarity: null,
    ...changes,
  };
}

/** A record of training states that were spread along one direction. */
export const makeFamiliarity = (width: number): Familiarity => ({
  centre: new Float32Array(width),
  directions: Float32Array.from({ length: width }, (_, j) => (j === 0 ? 1 : 0)),
  variances: Float32Array.of(1.5),
  residual_variance: 0.25,
  shrinkage: 0.125,
  training_questions: 12,
  distances: Float32Array.of(1, 2, 3),
  level: 0.05,
});
