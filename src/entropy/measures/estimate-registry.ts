import { SepError } from "../../errors.ts";
import type { QuestionSamples } from "../question-samples.ts";
import type { SeModeName } from "../se-mode.ts";
import { CLUSTER_ESTIMATES } from "./cluster-estimates.ts";
import { type Estimate, type EstimateNeed, findMissing } from "./estimate.ts";
import { GRAPH_ESTIMATES } from "./graph-estimates.ts";
import { PAIR_ESTIMATES } from "./pair-estimates.ts";
import { STATE_ESTIMATES } from "./state-estimates.ts";
import { TOKEN_ESTIMATES } from "./token-estimates.ts";

/** Every uncertainty measure, in the order of files and tables. */
export const ESTIMATES: readonly Estimate[] = [
  ...CLUSTER_ESTIMATES,
  ...TOKEN_ESTIMATES,
  ...PAIR_ESTIMATES,
  ...GRAPH_ESTIMATES,
  ...STATE_ESTIMATES,
];

/** Computed by default: what samples with log-probabilities give at no extra cost. */
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

/** Which estimates: all, the default ones, or some by name besides those that later steps need; `default` names those. */
export type EstimateChoice = "all" | "default" | readonly string[];

/**
 * @returns the chosen estimates in the registry's order
 * @throws SepError `bad-option` for a name that no estimate has
 */
export function chooseEstimates(choice: EstimateChoice): readonly Estimate[] {
  if (choice === "all") return ESTIMATES;
  const named = [choice].flat().flatMap((name) => (name === "default" ? DEFAULT_ESTIMATES : [name]));
  const names = new Set([...ALWAYS, ...named]);
  const unknown = [...names].filter((name) => !ESTIMATES.some((estimate) => estimate.name === name));
  if (unknown.length > 0)
    throw new SepError(
      "bad-option",
      `Got the unknown uncertainty measure ${unknown.join(", ")}, expected some of ${ESTIMATES.map(({ name }) => name).join(", ")}.`,
    );
  return ESTIMATES.filter(({ name }) => names.has(name));
}

/** What computing one estimate over a study took, and what was missing. */
export interface EstimateCost {
  readonly name: string;
  /** Questions with a value. */
  readonly computed: number;
  /** Questions without one, by what they lack; "finite" where the number would be infinite or undefined. */
  readonly missing: Readonly<Partial<Record<EstimateNeed | "finite", number>>>;
  /** Time of the estimate's own computation. */
  readonly durationMs: number;
  /** Ordered pairs of different answers that an NLI model classifies for it; all estimates share one pass. */
  readonly nliPairs: number;
}

/** Computes estimates question by question, and records their costs. */
interface EstimateMeter {
  /** @returns one entry per estimate; null if the question lacks what it needs */
  measure(samples: QuestionSamples): Record<string, number | null>;
  costs(): EstimateCost[];
}

/**
 * @param now a clock in milliseconds, of which only differences count
 */
export function createEstimateMeter(
  estimates: readonly Estimate[],
  mode: SeModeName,
  now: () => number,
): EstimateMeter {
  const tallies = estimates.map((estimate) => ({
    estimate,
    computed: 0,
    missing: {} as Partial<Record<EstimateNeed | "finite", number>>,
    durationMs: 0,
    nliPairs: 0,
  }));
  return {
    measure(samples) {
      const pairs = countOrderedPairs(samples.answers);
      const values: Record<string, number | null> = {};
      for (const tally of tallies) {
        const { name, needs } = tally.estimate;
        if (needs.includes("entailment") || needs.includes("sentence_verdicts")) tally.nliPairs += pairs;
        const startMs = now();
        const lacking = findMissing(samples, needs);
        const value = lacking === null ? tally.estimate.compute(samples, mode) : Number.NaN;
        tally.durationMs += now() - startMs;
        values[name] = Number.isFinite(value) ? value : null;
        if (Number.isFinite(value)) tally.computed += 1;
        else tally.missing[lacking ?? "finite"] = (tally.missing[lacking ?? "finite"] ?? 0) + 1;
      }
      return values;
    },
    costs: () =>
      tallies.map(({ estimate, computed, missing, durationMs, nliPairs }) => ({
        name: estimate.name,
        computed,
        missing: { ...missing },
        durationMs,
        nliPairs,
      })),
  };
}

function countOrderedPairs(answers: readonly (string | null)[]): number {
  const different = new Set(answers.filter((answer) => answer !== null)).size;
  return different * (different - 1);
}
