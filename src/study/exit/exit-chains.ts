import type { PolicyChain } from "../../evaluation/evaluate-exit.ts";
import type { ForcedAnswer } from "../../samples/forced-answers.ts";
import type { RunRecord } from "../../samples/run-record.ts";
import { runKey } from "../../samples/samples.ts";

/** A chain of reasoning with the answers that were forced at its steps. */
export interface ForcedChain {
  readonly run: RunRecord;
  readonly questionGroup: string;
  /** At least one, in order. */
  readonly steps: readonly ForcedAnswer[];
  /** Cut off by the token limit: nobody knows how it would have ended. */
  readonly isCensored: boolean;
}

/** @param groupOf of a question with duplicates, the id of the first of them */
export function gatherChains(
  runs: readonly RunRecord[],
  forced: readonly ForcedAnswer[],
  groupOf: ReadonlyMap<string, string>,
): ForcedChain[] {
  const byRun = new Map<string, ForcedAnswer[]>();
  for (const answer of forced) {
    const key = runKey(answer.question_id, answer.run_id);
    const own = byRun.get(key) ?? [];
    if (own.push(answer) === 1) byRun.set(key, own);
  }
  return runs.flatMap((run): ForcedChain[] => {
    const steps = byRun.get(runKey(run.question_id, run.run_id));
    if (steps === undefined) return [];
    return [
      {
        run,
        questionGroup: groupOf.get(run.question_id) ?? run.question_id,
        steps: steps.toSorted((a, b) => a.step - b.step),
        isCensored: steps.some(({ is_final }) => is_final === null),
      },
    ];
  });
}

/** What decides whether to act; the first three need hidden states, the others none. */
export const EXIT_SCORES = [
  "settled-probe",
  "right-probe",
  "entropy",
  "confidence",
  "agreement",
  "budget",
  "ends-wrong-probe",
] as const;
export type ExitScore = (typeof EXIT_SCORES)[number];

/** Stop and answer, or give up the question. */
export type ExitAction = "stop" | "give-up";

/** The scores that can decide each action, that of the product first. */
export const SCORES_OF: Readonly<Record<ExitAction, readonly ExitScore[]>> = {
  stop: ["settled-probe", "right-probe", "entropy", "confidence", "agreement", "budget"],
  "give-up": ["ends-wrong-probe", "entropy", "confidence", "budget"],
};

/** Those that look at the answer forced at every step, whose tokens they have to pay. */
const LOOKS_AT_ANSWERS: ReadonlySet<ExitScore> = new Set(["entropy", "confidence", "agreement"]);

/**
 * A chain as one policy sees it: what it costs and what harm it does to act at each step. Stopping does harm where the
 * forced answer is wrong and the chain's own is right; giving up, where the chain's own is right.
 * @param chain not censored
 * @param probe at each step, P(label 1) of the score's probe; NaN where there is none
 */
export function policyChain(
  { run, steps, questionGroup }: ForcedChain,
  score: ExitScore,
  action: ExitAction,
  probe: ArrayLike<number>,
): PolicyChain {
  const fullTokens = run.tokens.length;
  let tried = 0;
  let streak = 0;
  const seen = steps.map((step, i) => {
    const pays = LOOKS_AT_ANSWERS.has(score);
    const before = tried;
    tried += pays ? step.token_count : 0;
    const isSame = i > 0 && steps[i - 1]!.extracted_answer === step.extracted_answer;
    streak = step.extracted_answer === null ? 0 : isSame ? streak + 1 : 1;
    // the forced answer that is given is one of those that were tried
    const cost = step.span[1] + before + (action === "stop" || pays ? step.token_count : 0);
    const harm = action === "stop" ? run.is_correct && !step.is_correct : run.is_correct;
    return {
      score: scoreStep(step, score, action, probe[i] ?? Number.NaN, streak),
      cost,
      harm: harm ? 1 : 0,
    };
  });
  return { questionGroup, steps: seen, endCost: fullTokens + tried, fullTokens };
}

/** @returns lower = act sooner */
function scoreStep(
  step: ForcedAnswer,
  score: ExitScore,
  action: ExitAction,
  probe: number,
  streak: number,
): number {
  // what makes an answer sure speaks for stopping, and against giving up
  const sign = action === "stop" ? 1 : -1;
  switch (score) {
    case "settled-probe":
    case "right-probe":
      return probe;
    case "ends-wrong-probe":
      return -probe;
    case "entropy":
      return sign * step.mean_entropy;
    case "confidence":
      return sign * -step.mean_logprob;
    case "agreement":
      return -streak;
    case "budget":
      return -step.span[1];
  }
}

/** Where the answers of chains were settled. */
export interface Settlement {
  readonly chains: number;
  /** Of them, those whose forced answers are the chain's own from some step on; the others settle behind the last step. */
  readonly settled_within: number;
  /** Mean over chains of the share of the chain's tokens up to where its answer was settled. */
  readonly mean_share: number;
  /**
   * Share of all tokens that would be saved by stopping each chain just where it is settled, the forced answer paid: what
   * stopping without ever changing an answer can save at most.
   */
  readonly most_saved: number;
  /** Share of chains that are settled by each tenth of their tokens: 10%, 20%, … 100%. */
  readonly settled_by: readonly number[];
}

/** @param chains not censored */
export function findSettlement(chains: readonly ForcedChain[]): Settlement {
  const settledAt = ({ steps }: ForcedChain): ForcedAnswer | undefined =>
    steps[steps.findLastIndex(({ is_final }) => is_final !== true) + 1];
  const shares = chains.map((chain) => {
    const at = settledAt(chain);
    return at === undefined ? 1 : at.span[1] / chain.run.tokens.length;
  });
  const full = chains.reduce((sum, { run }) => sum + run.tokens.length, 0);
  const needed = chains.reduce((sum, chain) => {
    const [at, whole] = [settledAt(chain), chain.run.tokens.length];
    return sum + (at === undefined ? whole : Math.min(whole, at.span[1] + at.token_count));
  }, 0);
  const within = chains.filter(({ steps }) => steps.at(-1)!.is_final === true).length;
  return {
    chains: chains.length,
    settled_within: within,
    mean_share: shares.reduce((sum, share) => sum + share, 0) / shares.length,
    most_saved: 1 - needed / full,
    settled_by: Array.from(
      { length: 10 },
      (_, i) => shares.filter((share) => share <= (i + 1) / 10).length / shares.length,
    ),
  };
}

/** Chains that are cut at one length. */
export interface BudgetPoint {
  readonly budget_tokens: number;
  /** Mean tokens that are generated, the forced answer included. */
  readonly mean_tokens: number;
  /** Chains with an answer by then: their own, or one that was forced at the last step within the budget. */
  readonly answered: number;
  /** Share of right answers, of those that are answered. */
  readonly share_right: number | null;
  /** Chains that the token limit cut off before the budget, about which nothing is known, and chains without a step within it. */
  readonly censored: number;
  readonly unanswered: number;
}

/** What comes of chains that are cut at fixed lengths; censored ones count as far as they go. */
export function cutAtBudgets(chains: readonly ForcedChain[], points: number): BudgetPoint[] {
  const longest = Math.max(0, ...chains.map(({ run }) => run.tokens.length));
  return Array.from({ length: points }, (_, i) => {
    const budget = Math.ceil((longest * (i + 1)) / points);
    let [tokens, right, answered, censored, unanswered] = [0, 0, 0, 0, 0];
    for (const { run, steps, isCensored } of chains) {
      const hasEnded = run.tokens.length <= budget;
      const at = hasEnded ? undefined : steps.findLast(({ span }) => span[1] <= budget);
      tokens += hasEnded ? run.tokens.length : budget + (at?.token_count ?? 0);
      if (hasEnded && isCensored) censored += 1;
      else if (!hasEnded && at === undefined) unanswered += 1;
      else {
        answered += 1;
        right += (hasEnded ? run.is_correct : at!.is_correct) ? 1 : 0;
      }
    }
    return {
      budget_tokens: budget,
      mean_tokens: tokens / chains.length,
      answered,
      share_right: answered === 0 ? null : right / answered,
      censored,
      unanswered,
    };
  });
}
