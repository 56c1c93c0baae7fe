import { createRng } from "../math/rng.ts";

/** One step of a chain at which a policy may act: stop and answer, or give up. */
export interface ExitStep {
  /** Lower = act sooner; NaN = never act here. */
  readonly score: number;
  /** 1 if acting here does harm. */
  readonly harm: number;
}

/** A chain in the order of its steps. A policy acts at the first step whose score is at most its threshold. */
export interface ExitChain {
  /** Chains of one question, and of its duplicates, stay together. */
  readonly questionGroup: string;
  readonly steps: readonly ExitStep[];
}

/**
 * What a threshold promises of the share of chains to which acting does harm.
 * - `expected`: its expectation for a new question is at most the target (conformal risk control).
 * - `realized`: with probability `confidence`, the share that comes about among as many new questions is at most the target.
 */
export const EXIT_PROMISES = ["expected", "realized"] as const;
export type ExitPromise = (typeof EXIT_PROMISES)[number];

export interface ExitTarget {
  /** In (0, 1). */
  readonly target: number;
  readonly promise: ExitPromise;
  /** In (0, 1); only of `realized`. */
  readonly confidence: number;
}

/** A threshold, or why there is none. */
export type ExitChoice =
  | { readonly threshold: number; readonly calibration_questions: number; readonly reason: null }
  | { readonly threshold: null; readonly calibration_questions: number; readonly reason: string };

/** Sums of shares in another order may differ in the last bits. */
const ROUNDING = 1e-9;

/**
 * The highest threshold that keeps a promise, chosen on questions that nothing else was fitted on. A higher threshold acts
 * earlier, which need not do more harm; each question therefore counts with the largest loss that it has at this threshold or
 * any lower one, so that losses are monotone, as both methods need. For `expected`, (sum of losses + 1) / (Q + 1) must be at
 * most the target. For `realized`, each question's loss is rounded to 0 or 1 at random, with its own chance, so that of 2 Q
 * exchangeable questions the number of losses in one half has a hypergeometric distribution given the total: if more than
 * target × Q came about in the other half, so few here would have a probability of at most 1 - confidence. Thresholds are
 * tried from the lowest on, up to the first that fails.
 * @throws RangeError for a target or confidence outside (0, 1)
 * @see Angelopoulos et al. 2024, "Conformal risk control", theorem 1 and section 2.3; Angelopoulos et al. 2021, "Learn
 *   then test", section 3.2, on fixed sequences
 */
export function chooseExitThreshold(
  chains: readonly ExitChain[],
  { target, promise, confidence }: ExitTarget,
): ExitChoice {
  for (const share of [target, confidence])
    if (!(share > 0 && share < 1)) throw new RangeError(`Got ${share}, expected a share within (0, 1).`);
  const { steps, questions, roundings } = lossesByThreshold(chains);
  const most = mostLosses(questions, { target, promise, confidence });
  const none = (reason: string): ExitChoice => ({
    threshold: null,
    calibration_questions: questions,
    reason,
  });
  if (most < 0)
    return none(
      `${questions} calibration questions are too few to promise a harm of at most ${target} (${promise}): at least ${questionsNeeded({ target, promise, confidence })} are needed.`,
    );
  const losses = new Map<string, number>();
  let sum = 0;
  let found: number | null = null;
  for (const { score, changes } of steps) {
    for (const [question, loss] of changes) {
      const before = losses.get(question) ?? 0;
      losses.set(question, loss);
      const rounding = roundings.get(question)!;
      sum += promise === "expected" ? loss - before : Number(loss > rounding) - Number(before > rounding);
    }
    if (sum > most + ROUNDING) break;
    found = score;
  }
  if (found === null)
    return none(
      steps.length === 0
        ? "No calibration chain has this score."
        : `Even the surest calibration steps do harm too often for a target of ${target}.`,
    );
  return { threshold: found, calibration_questions: questions, reason: null };
}

/**
 * The largest sum of losses of the calibration questions at which the promise holds.
 * @returns below 0 if none does
 */
function mostLosses(questions: number, { target, promise, confidence }: ExitTarget): number {
  if (promise === "expected") return target * (questions + 1) - 1;
  const allowed = Math.floor(target * questions + ROUNDING);
  let most = -1;
  for (let own = 0; own <= questions; own++) {
    if (lowerTail(own, own + allowed + 1, questions) > 1 - confidence) break;
    most = own;
  }
  return most;
}

/** The fewest calibration questions with which a promise can be kept, if none of their chains is harmed. */
function questionsNeeded(wanted: ExitTarget): number {
  const { target, promise } = wanted;
  if (promise === "expected") return Math.ceil(1 / target - ROUNDING) - 1;
  for (let allowed = 0; ; allowed++) {
    // the fewest of which the target allows so many losses
    const questions = Math.max(1, Math.ceil(allowed / target - ROUNDING));
    if (mostLosses(questions, wanted) >= 0) return questions;
  }
}

/**
 * P(at most `own` of `total` losses are in one half of 2 Q questions), as the total falls into the halves at random.
 * @param total at most 2 Q; impossible totals have probability 0
 */
function lowerTail(own: number, total: number, questions: number): number {
  if (total > 2 * questions) return 0;
  const logAll = logChoose(2 * questions, total);
  let sum = 0;
  for (let k = Math.max(0, total - questions); k <= own; k++)
    sum += Math.exp(logChoose(questions, k) + logChoose(questions, total - k) - logAll);
  return sum;
}

function logChoose(n: number, k: number): number {
  let sum = 0;
  for (let i = 1; i <= k; i++) sum += Math.log((n - k + i) / i);
  return sum;
}

/** Where a chain acts at thresholds from the lowest on, and the largest harm so far: each score with its harm. */
function actionsOf({ steps }: ExitChain): { readonly score: number; readonly harm: number }[] {
  const actions: { readonly score: number; readonly harm: number }[] = [];
  let lowest = Number.POSITIVE_INFINITY;
  for (const { score, harm } of steps) {
    if (!(score < lowest)) continue;
    lowest = score;
    actions.push({ score, harm });
  }
  let most = 0;
  return actions.toReversed().map(({ score, harm }) => {
    most = Math.max(most, harm);
    return { score, harm: most };
  });
}

function lossesByThreshold(chains: readonly ExitChain[]): {
  /** Ascending, with the questions whose loss changes there and what it is from there on. */
  readonly steps: readonly { readonly score: number; readonly changes: ReadonlyMap<string, number> }[];
  readonly questions: number;
  /** Of each question, in [0, 1). */
  readonly roundings: ReadonlyMap<string, number>;
} {
  const byQuestion = new Map<string, ExitChain[]>();
  for (const chain of chains) {
    const own = byQuestion.get(chain.questionGroup) ?? [];
    if (own.push(chain) === 1) byQuestion.set(chain.questionGroup, own);
  }
  const changes = new Map<number, Map<string, number>>();
  for (const [question, own] of byQuestion) {
    const actions = own.flatMap((chain, i) => actionsOf(chain).map((action) => ({ ...action, i })));
    const harms = own.map(() => 0);
    for (const { score, harm, i } of actions.toSorted((a, b) => a.score - b.score)) {
      harms[i] = harm;
      const at = changes.get(score) ?? new Map<string, number>();
      changes.set(score, at);
      at.set(question, harms.reduce((sum, each) => sum + each, 0) / own.length);
    }
  }
  return {
    steps: [...changes].sort(([a], [b]) => a - b).map(([score, at]) => ({ score, changes: at })),
    questions: byQuestion.size,
    roundings: new Map([...byQuestion.keys()].map((id) => [id, createRng("exit-rounding", id).next()])),
  };
}
