import { SepError } from "../errors.ts";
import { createRng, shuffle } from "../math/rng.ts";
import { addScaled } from "../math/vector.ts";

/** Shares of the questions that go to each part; they must add up to 1. */
export interface SplitRatios {
  readonly train: number;
  readonly val: number;
  readonly test: number;
}

/** The questions of each part, sorted. */
export interface QuestionSplit {
  readonly train: readonly string[];
  readonly val: readonly string[];
  readonly test: readonly string[];
}

export const DEFAULT_RATIOS: SplitRatios = { train: 0.7, val: 0.15, test: 0.15 };
const DEFAULT_SPLIT_SEED = 42;

/**
 * Divides questions, never rows, into three parts. The same set of ids gives the same parts whatever their
 * order; parts are as close to the ratios as whole groups of questions allow.
 * @param questionIds repeats are ignored
 * @param groupOf     of each question, what it shares with those that must be in the same part, such as duplicates of it;
 *   a question without is alone
 * @throws SepError `bad-option` if the ratios are negative or do not add up to 1
 */
export function splitQuestions(
  questionIds: Iterable<string>,
  {
    ratios = DEFAULT_RATIOS,
    seed = DEFAULT_SPLIT_SEED,
    groupOf = new Map(),
  }: {
    readonly ratios?: SplitRatios;
    readonly seed?: number;
    readonly groupOf?: ReadonlyMap<string, string>;
  } = {},
): QuestionSplit {
  const shares = [ratios.train, ratios.val, ratios.test];
  const sum = shares.reduce((total, share) => total + share, 0);
  if (shares.some((share) => !(share >= 0)) || Math.abs(sum - 1) > 1e-9) {
    throw new SepError(
      "bad-option",
      `Split ratios are ${shares.join(", ")}; expected numbers from 0 that add up to 1.`,
    );
  }
  const groups = new Map<string, string[]>();
  const ids = new Set(questionIds);
  for (const id of ids) {
    const group = groupOf.get(id) ?? id;
    const members = groups.get(group) ?? [];
    groups.set(group, members);
    members.push(id);
  }
  const trainEnd = Math.round(ratios.train * ids.size);
  const valEnd = Math.round((ratios.train + ratios.val) * ids.size);
  const parts: Record<keyof SplitRatios, string[]> = { train: [], val: [], test: [] };
  let placed = 0;
  for (const group of shuffle([...groups.keys()].sort(), createRng("split-questions", seed))) {
    const members = groups.get(group)!;
    const middle = placed + members.length / 2;
    const part = middle < trainEnd ? "train" : middle < valEnd ? "val" : "test";
    parts[part].push(...members);
    placed += members.length;
  }
  return { train: parts.train.sort(), val: parts.val.sort(), test: parts.test.sort() };
}

/**
 * Assigns rows to k folds by whole questions, each fold with about the same share of every class: the questions
 * with the most uneven classes go first, each to the fold where it balances the classes best.
 * @param questionIds [n] the question of each row
 * @param labels      [n] class of each row, small integers (a joint label for several targets)
 * @returns [n] fold of each row, 0..k-1; every fold has at least one question
 * @throws SepError `too-few-questions` if there are fewer than k questions, or k < 2
 * @see scikit-learn's StratifiedGroupKFold, the same greedy rule
 */
export function groupedStratifiedFolds(
  questionIds: readonly string[],
  labels: ArrayLike<number>,
  k: number,
  seed: number,
): Uint8Array {
  const groups = [...countClasses(questionIds, labels)].sort(([a], [b]) => (a < b ? -1 : 1));
  if (k < 2 || groups.length < k) {
    throw new SepError(
      "too-few-questions",
      `Cross-validation with ${k} folds needs at least ${Math.max(k, 2)} training questions, got ${groups.length}. Add questions.`,
    );
  }
  const classCount = groups[0]![1].length;
  const totals = new Float64Array(classCount);
  for (const [, counts] of groups) addScaled(totals, 1, counts);
  const ordered = shuffle(groups, createRng("grouped-folds", seed)).sort(
    ([, a], [, b]) => spread(b) - spread(a), // stable: equal spreads stay shuffled
  );
  const folds = Array.from({ length: k }, () => ({ counts: new Float64Array(classCount), questions: 0 }));
  const foldOf = new Map<string, number>();
  ordered.forEach(([question, counts], placed) => {
    const empty = folds.filter((fold) => fold.questions === 0);
    // The last questions fill folds that are still empty, so that none stays so.
    const candidates = empty.length >= ordered.length - placed ? empty : folds;
    let best = candidates[0]!;
    let bestCost = Number.POSITIVE_INFINITY;
    for (const fold of candidates) {
      const cost = unevenness(folds, totals, fold, counts);
      const smaller = fold.questions < best.questions;
      if (cost < bestCost - 1e-12 || (cost < bestCost + 1e-12 && smaller)) {
        best = fold;
        bestCost = cost;
      }
    }
    addScaled(best.counts, 1, counts);
    best.questions++;
    foldOf.set(question, folds.indexOf(best));
  });
  return Uint8Array.from(questionIds, (question) => foldOf.get(question)!);
}

function countClasses(questionIds: readonly string[], labels: ArrayLike<number>): Map<string, Float64Array> {
  const classCount = 1 + Array.from(labels).reduce((most, label) => Math.max(most, label), 0);
  const counts = new Map<string, Float64Array>();
  questionIds.forEach((question, row) => {
    const own = counts.get(question) ?? new Float64Array(classCount);
    own[labels[row]!] = own[labels[row]!]! + 1;
    counts.set(question, own);
  });
  return counts;
}

/** Mean over classes of the standard deviation over folds of the class's share, with the question in `target`. */
function unevenness(
  folds: readonly { readonly counts: Float64Array }[],
  totals: Float64Array,
  target: { readonly counts: Float64Array },
  added: Float64Array,
): number {
  let sum = 0;
  for (let c = 0; c < totals.length; c++) {
    if (totals[c] === 0) continue;
    sum += spread(folds.map((fold) => (fold.counts[c]! + (fold === target ? added[c]! : 0)) / totals[c]!));
  }
  return sum;
}

/** Standard deviation (divided by n). */
function spread(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  const centre = sum / values.length;
  let squares = 0;
  for (let i = 0; i < values.length; i++) squares += (values[i]! - centre) ** 2;
  return Math.sqrt(squares / values.length);
}

/** Folds made by `groupedStratifiedFolds`. */
export interface FoldAssignment {
  /** [n] 0..k-1 */
  readonly foldOf: ArrayLike<number>;
  readonly foldCount: number;
}

/** Whether 0 and 1 both occur. */
export function hasBothClasses(labels: ArrayLike<number>): boolean {
  let hasZero = false;
  let hasOne = false;
  for (let i = 0; i < labels.length; i++) {
    if (labels[i] === 0) hasZero = true;
    else if (labels[i] === 1) hasOne = true;
  }
  return hasZero && hasOne;
}
