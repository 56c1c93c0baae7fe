/**
 * When to answer: at a score that is at most `threshold`. Plain data, as in JSON.
 * - `coverage`: at least the target share of a new question's answers is given.
 * - `risk`: at most the target share of all of a new question's answers is given and wrong.
 */
export interface DecisionThreshold {
  readonly kind: "risk" | "coverage";
  /** The share asked for, in (0, 1). */
  readonly target: number;
  /** In the units of the score itself, before any calibration map; higher scores are more uncertain. */
  readonly threshold: number;
  /** What holds, in expectation over what, and under which assumption: one sentence for people. */
  readonly guarantee: string;
  /** Independent questions that the threshold was chosen on. */
  readonly calibration_questions: number;
}

/** Whether to give an answer of this score. @returns false for NaN: without a score, it abstains */
export const isAnswered = ({ threshold }: Pick<DecisionThreshold, "threshold">, score: number): boolean =>
  score <= threshold;

/** A threshold, or why there is none. */
export type ThresholdChoice =
  | { readonly threshold: DecisionThreshold; readonly reason: null }
  | { readonly threshold: null; readonly reason: string };

/** Where rows are steps, sentences, tokens or spans. */
export const NO_DECISION_ON_PARTS: ThresholdChoice = {
  threshold: null,
  reason: "Each row is a part of an answer, so a threshold would promise nothing about answers.",
};

/** What is asked of a decision. */
export interface DecisionTarget {
  readonly kind: DecisionThreshold["kind"];
  /** In (0, 1). */
  readonly target: number;
}

/** Sums of shares in another order may differ in the last bits; a bound that is met exactly must count as met. */
const ROUNDING = 1e-9;

/**
 * Chooses when to answer from questions that nothing else was fitted on, by conformal risk control. A question's loss
 * is a share of its own answers: those that are given and wrong, or those that are not given. With Q questions, the
 * threshold is the highest score (risk) or the lowest (coverage) at which (sum of losses + 1) / (Q + 1) keeps within
 * the bound; the 1 stands for the new question, whose loss is unknown. With one answer per question, coverage is
 * split conformal prediction's quantile.
 * @param scores      [n] higher = more uncertain; rows where it is NaN are never answered
 * @param incorrect   [n] 1 = wrong; not looked at for coverage
 * @param questionIds [n]
 * @returns the reason where no threshold meets the target
 * @throws RangeError for a target outside (0, 1)
 * @see Angelopoulos, Bates, Fisch, Lei and Schuster 2024, "Conformal risk control", theorem 1
 */
export function chooseDecisionThreshold(
  scores: ArrayLike<number>,
  incorrect: ArrayLike<number>,
  questionIds: readonly string[],
  { kind, target }: DecisionTarget,
): ThresholdChoice {
  if (!(target > 0 && target < 1)) throw new RangeError(`The target ${kind} is ${target}, outside (0, 1).`);
  const questions = new Set(questionIds).size;
  const bound = kind === "risk" ? target : 1 - target;
  const needed = Math.ceil(1 / bound - ROUNDING) - 1;
  if (questions < needed) {
    const reason = `${questions} calibration questions are too few to guarantee a ${kind} of ${target}: at least ${needed} are needed.`;
    return { threshold: null, reason };
  }
  const steps = lossesByThreshold(scores, incorrect, questionIds, kind);
  const meets = (loss: number): boolean => (loss + 1) / (questions + 1) <= bound + ROUNDING;
  const found =
    kind === "risk" ? steps.findLast(({ loss }) => meets(loss)) : steps.find(({ loss }) => meets(loss));
  if (found === undefined) return { threshold: null, reason: explainNone(kind, target, steps.length) };
  return {
    threshold: {
      kind,
      target,
      threshold: found.score,
      guarantee: describeGuarantee(kind, target, questions),
      calibration_questions: questions,
    },
    reason: null,
  };
}

/** What answering up to one score promises. */
export interface DecisionPoint {
  /** In the units of the score itself, before any calibration map. */
  readonly threshold: number;
  /** The least target risk that this threshold keeps: of answers that are given and wrong, of all. */
  readonly risk: number;
  /** The highest target coverage that it keeps: of answers that are given. */
  readonly coverage: number;
}

/**
 * What each threshold promises, as {@link chooseDecisionThreshold} would choose it for these targets. A promise holds for a
 * target that is chosen before anybody looks at the answer.
 * @returns one point for each distinct score, ascending; risk and coverage never fall
 */
export function decisionCurve(
  scores: ArrayLike<number>,
  incorrect: ArrayLike<number>,
  questionIds: readonly string[],
): DecisionPoint[] {
  const questions = new Set(questionIds).size;
  const bound = (loss: number): number => Math.min(1, Math.max(0, (loss + 1) / (questions + 1)));
  const missing = lossesByThreshold(scores, incorrect, questionIds, "coverage");
  return lossesByThreshold(scores, incorrect, questionIds, "risk").map(({ score, loss }, index) => ({
    threshold: score,
    risk: bound(loss),
    coverage: 1 - bound(missing[index]!.loss),
  }));
}

/**
 * Each distinct score, ascending, with the sum of the questions' losses at that threshold. Losses are monotone in
 * the threshold: more answers, more of them wrong and fewer missing.
 */
function lossesByThreshold(
  scores: ArrayLike<number>,
  incorrect: ArrayLike<number>,
  questionIds: readonly string[],
  kind: DecisionThreshold["kind"],
): { readonly score: number; readonly loss: number }[] {
  const sizes = new Map<string, number>();
  for (const question of questionIds) sizes.set(question, (sizes.get(question) ?? 0) + 1);
  const order = Array.from({ length: scores.length }, (_, row) => row)
    .filter((row) => !Number.isNaN(scores[row]))
    .sort((a, b) => scores[a]! - scores[b]!);
  const steps: { score: number; loss: number }[] = [];
  let loss = kind === "risk" ? 0 : sizes.size;
  for (const row of order) {
    const share = 1 / sizes.get(questionIds[row]!)!;
    loss += kind === "risk" ? share * incorrect[row]! : -share;
    const last = steps.at(-1);
    if (last !== undefined && last.score === scores[row]) last.loss = loss;
    else steps.push({ score: scores[row]!, loss });
  }
  return steps;
}

function explainNone(kind: DecisionThreshold["kind"], target: number, steps: number): string {
  if (steps === 0) return "No calibration answer has this score.";
  if (kind === "coverage") return `Too many calibration answers lack this score for a coverage of ${target}.`;
  return `Even the least uncertain calibration answers are wrong too often for a risk of ${target}, which only never answering would keep.`;
}

function describeGuarantee(kind: DecisionThreshold["kind"], target: number, questions: number): string {
  const promise =
    kind === "risk"
      ? `the expected share of its answers that are given and wrong is at most ${target}`
      : `the expected share of its answers that are given is at least ${target}`;
  return (
    `For a new question drawn like the ${questions} calibration questions (exchangeable with them), ${promise}; ` +
    "the expectation is over both the new question and the calibration questions."
  );
}
