import { quantiles } from "../math/quantile.ts";
import { createRng, shuffle } from "../math/rng.ts";
import { mean } from "../math/vector.ts";
import { chooseExitThreshold, type ExitChain, type ExitTarget } from "../probes/choose-exit-threshold.ts";

/** A chain as one policy sees it. */
export interface PolicyChain extends ExitChain {
  readonly steps: readonly (ExitChain["steps"][number] & {
    /** Generated tokens if the policy acts here, those that it needs to decide included. */
    readonly cost: number;
  })[];
  /** Generated tokens if it never acts, those that it needs to decide included. */
  readonly endCost: number;
  /** Generated tokens of the chain by itself. */
  readonly fullTokens: number;
}

/** What a threshold does to some chains. */
export interface AchievedExit {
  /** Mean over questions of the share of chains to which acting did harm. */
  readonly risk: number;
  /** 1 - generated tokens / those of the whole chains; below 0 where deciding costs more than it saves. */
  readonly tokens_saved: number;
  /** Mean over questions of the share of chains at which the policy acted. */
  readonly share_acted: number;
}

/** What happens when the questions are divided anew many times, a threshold is chosen on one half and used on the other. */
export interface ExitResplits {
  readonly resplits: number;
  readonly tokens_saved: { readonly mean: number; readonly quantiles: readonly [number, number, number] };
  readonly risk: { readonly mean: number; readonly quantiles: readonly [number, number, number] };
  /** Share of resplits whose realized risk is at most the target. */
  readonly share_held: number;
  /** Share of resplits in which no threshold keeps the promise, so that nothing is stopped. */
  readonly share_without_threshold: number;
}

/** @param threshold null for a policy that never acts, and so needs nothing to decide */
export function achieveExit(chains: readonly PolicyChain[], threshold: number | null): AchievedExit {
  const byQuestion = new Map<string, { harm: number; acted: number; count: number }>();
  let [tokens, full] = [0, 0];
  for (const chain of chains) {
    const at = threshold === null ? undefined : chain.steps.find(({ score }) => score <= threshold);
    tokens += threshold === null ? chain.fullTokens : (at?.cost ?? chain.endCost);
    full += chain.fullTokens;
    const own = byQuestion.get(chain.questionGroup) ?? { harm: 0, acted: 0, count: 0 };
    byQuestion.set(chain.questionGroup, own);
    own.harm += at?.harm ?? 0;
    own.acted += at === undefined ? 0 : 1;
    own.count += 1;
  }
  const questions = [...byQuestion.values()];
  return {
    risk: mean(questions.map(({ harm, count }) => harm / count)),
    tokens_saved: 1 - tokens / full,
    share_acted: mean(questions.map(({ acted, count }) => acted / count)),
  };
}

const EDGES = [0.05, 0.5, 0.95] as const;

/** Divides the questions into two halves again and again, by question. */
export function resplitExits(
  chains: readonly PolicyChain[],
  target: ExitTarget,
  { resplits, seed }: { readonly resplits: number; readonly seed: number },
): ExitResplits {
  const groups = [...new Set(chains.map(({ questionGroup }) => questionGroup))].sort();
  const achieved: AchievedExit[] = [];
  let without = 0;
  for (let i = 0; i < resplits; i++) {
    const shuffled = shuffle(groups, createRng("exit-resplit", seed, i));
    const calibrating = new Set(shuffled.slice(0, Math.floor(shuffled.length / 2)));
    const [calibration, test] = [true, false].map((isCalibrating) =>
      chains.filter(({ questionGroup }) => calibrating.has(questionGroup) === isCalibrating),
    );
    const { threshold } = chooseExitThreshold(calibration!, target);
    if (threshold === null) without += 1;
    achieved.push(achieveExit(test!, threshold));
  }
  const describe = (values: readonly number[]): ExitResplits["risk"] => {
    const [low, middle, high] = quantiles(values, EDGES);
    return { mean: mean(values), quantiles: [low!, middle!, high!] };
  };
  return {
    resplits,
    tokens_saved: describe(achieved.map(({ tokens_saved }) => tokens_saved)),
    risk: describe(achieved.map(({ risk }) => risk)),
    share_held: achieved.filter(({ risk }) => risk <= target.target + ROUNDING).length / resplits,
    share_without_threshold: without / resplits,
  };
}

/** Means of shares differ in the last bits. */
const ROUNDING = 1e-9;
