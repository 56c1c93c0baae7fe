import { SepError } from "../errors.ts";
import { createRng, shuffle } from "../math/rng.ts";

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
 * order; parts are as near to the ratios as whole questions allow.
 * @param questionIds repeats are ignored
 * @throws SepError `bad-option` if the ratios are negative or do not add up to 1
 */
export function splitQuestions(
  questionIds: Iterable<string>,
  {
    ratios = DEFAULT_RATIOS,
    seed = DEFAULT_SPLIT_SEED,
  }: { readonly ratios?: SplitRatios; readonly seed?: number } = {},
): QuestionSplit {
  const shares = [ratios.train, ratios.val, ratios.test];
  const sum = shares.reduce((total, share) => total + share, 0);
  if (shares.some((share) => !(share >= 0)) || Math.abs(sum - 1) > 1e-9) {
    throw new SepError(
      "bad-option",
      `Split ratios are ${shares.join(", ")}; they must be >= 0 and add up to 1.`,
    );
  }
  const ids = shuffle([...new Set(questionIds)].sort(), createRng("split-questions", seed));
  const trainEnd = Math.round(ratios.train * ids.length);
  const valEnd = Math.round((ratios.train + ratios.val) * ids.length);
  return {
    train: ids.slice(0, trainEnd).sort(),
    val: ids.slice(trainEnd, valEnd).sort(),
    test: ids.slice(valEnd).sort(),
  };
}
