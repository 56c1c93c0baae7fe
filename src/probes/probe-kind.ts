/**
 * Ways of reading a target from hidden states, all on standardised features:
 * - `logistic`: L2-penalised logistic regression.
 * - `ridge`: L2-penalised least squares, of the 0/1 label or of the number behind it (semantic entropy in nats).
 * - `mean-difference`: the direction from one class's mean to the other's (the "mass mean"), without any fit; what
 *   both regressions tend to as their penalty grows.
 * - `mlp`: one hidden layer of rectified units, to see what a line misses.
 */
export const PROBE_KINDS = ["logistic", "ridge", "mean-difference", "mlp"] as const;
export type ProbeKind = (typeof PROBE_KINDS)[number];

/**
 * Penalties tried where none is given: C weighs the rows' losses against half the squared weights, for `ridge` it is
 * 1 / alpha. Hidden states have far more directions than a few thousand rows can pin down, so strong penalties win
 * nearly everywhere, and weaker ones than these take longest. A mean difference has none: 0 stands for the limit.
 */
export const PENALTY_GRIDS: Readonly<Record<ProbeKind, readonly number[]>> = {
  logistic: [1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1, 10],
  ridge: [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1],
  "mean-difference": [0],
  mlp: [1e-3, 1e-2, 1e-1],
};
