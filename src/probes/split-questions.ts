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
 * order; parts are as near to the ratios as whole groups of questions allow.
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
      `Split ratios are ${shares.join(", ")}; they must be >= 0 and add up to 1.`,
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
