import { SepError } from "../../errors.ts";
import { CLUSTER_ESTIMATES } from "./cluster-estimates.ts";
import type { Estimate } from "./estimate.ts";
import { GRAPH_ESTIMATES } from "./graph-estimates.ts";
import { PAIR_ESTIMATES } from "./pair-estimates.ts";
import { STATE_ESTIMATES } from "./state-estimates.ts";
import { TOKEN_ESTIMATES } from "./token-estimates.ts";

/** Every estimate of uncertainty, in the order in which files and tables have them. */
export const ESTIMATES: readonly Estimate[] = [
  ...CLUSTER_ESTIMATES,
  ...TOKEN_ESTIMATES,
  ...PAIR_ESTIMATES,
  ...GRAPH_ESTIMATES,
  ...STATE_ESTIMATES,
];

/** Those that are computed unless others are asked for: what samples with log-probabilities have for nothing. */
const DEFAULT_ESTIMATES: readonly string[] = [
  "semantic_entropy",
  "discrete_semantic_entropy",
  "sum_logprob_semantic_entropy",
  "regular_entropy",
  "mean_token_entropy",
  "cluster_count",
];

/** Later steps read these. */
const ALWAYS: readonly string[] = ["semantic_entropy", "discrete_semantic_entropy"];

/** Which estimates: all of them, the usual ones, or some by name beside those that later steps need. */
export type EstimateChoice = "all" | "default" | readonly string[];

/**
 * @returns the chosen estimates in the registry's order
 * @throws SepError `bad-option` for a name that no estimate has
 */
export function chooseEstimates(choice: EstimateChoice): readonly Estimate[] {
  if (choice === "all") return ESTIMATES;
  const names = new Set(choice === "default" ? DEFAULT_ESTIMATES : [...ALWAYS, ...choice]);
  const unknown = [...names].filter((name) => !ESTIMATES.some((estimate) => estimate.name === name));
  if (unknown.length > 0)
    throw new SepError(
      "bad-option",
      `There is no estimate ${unknown.join(", ")}. There are ${ESTIMATES.map(({ name }) => name).join(", ")}.`,
    );
  return ESTIMATES.filter(({ name }) => names.has(name));
}
