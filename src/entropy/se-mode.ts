import type { AgreementRule, ClusterAssignment } from "./cluster-by-verdicts.ts";

/** One published variant of semantic entropy: how answers are grouped, weighed and summed up. */
export interface SeMode {
  /** How answers are grouped where an NLI model compares them. */
  readonly rule: AgreementRule;
  readonly assignment: ClusterAssignment;
  /** Whether the NLI model reads "{question} {answer}", or the answer alone. */
  readonly withQuestion: boolean;
  /** An answer's log weight: the mean of its tokens' log-probabilities, or their sum. */
  readonly weights: "mean" | "sum";
  /** Entropy of the clusters' normalised weights, or the mean of -ln of their shifted weights over clusters. */
  readonly estimator: "entropy" | "shifted-surprisal";
}

/** The published variants by name; docs/estimates.md has their differences. */
export const SE_MODES: Readonly<Record<"nature" | "oatml" | "kuhn" | "notebook", SeMode>> = {
  /** Farquhar et al. 2024. */
  nature: {
    rule: { name: "strict" },
    assignment: "first",
    withQuestion: true,
    weights: "mean",
    estimator: "entropy",
  },
  /** `semantic_entropy` of OATML/semantic-entropy-probes (Kossen et al. 2024). */
  oatml: {
    rule: { name: "strict" },
    assignment: "last",
    withQuestion: true,
    weights: "mean",
    estimator: "shifted-surprisal",
  },
  /** `predictive_entropy_over_concepts` of lorenzkuhn/semantic_uncertainty (Kuhn et al. 2023). */
  kuhn: {
    rule: { name: "no-contradiction" },
    assignment: "chain",
    withQuestion: true,
    weights: "mean",
    estimator: "shifted-surprisal",
  },
  /** The Python notebook that this package's notebook follows. */
  notebook: {
    rule: { name: "threshold", threshold: 0.6 },
    assignment: "first",
    withQuestion: false,
    weights: "sum",
    estimator: "entropy",
  },
};

export type SeModeName = keyof typeof SE_MODES;
export const SE_MODE_NAMES: readonly SeModeName[] = ["nature", "oatml", "kuhn", "notebook"];
