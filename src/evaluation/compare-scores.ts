import { hasBothClasses } from "../probes/grouped-folds.ts";
import type { InferenceOptions } from "./evaluate-score.ts";
import { type PairedTestResult, pairedTest } from "./paired-test.ts";

/** Two scores of a split compared on the rows that have both. */
export interface PairedComparison<Name extends string = string> extends PairedTestResult {
  readonly first: Name;
  readonly second: Name;
  readonly row_count: number;
  /** The p-value after Holm's correction for all comparisons of the split. */
  readonly p_value_holm: number | null;
}

/**
 * Compares every pair of scores, where the rows that have both have both labels.
 * @param scores each [n], higher = more uncertain, NaN where there is none
 * @param labels [n]
 */
export function compareScores<Name extends string>(
  scores: Readonly<Record<Name, Float64Array>>,
  labels: Uint8Array,
  questionIds: readonly string[],
  options: InferenceOptions = {},
): PairedComparison<Name>[] {
  const names = Object.keys(scores) as Name[];
  const found = names.flatMap((first, place) =>
    names.slice(place + 1).flatMap((second) => {
      const rows = Array.from(labels.keys()).filter(
        (row) => !Number.isNaN(scores[first][row]) && !Number.isNaN(scores[second][row]),
      );
      const own = rows.map((row) => labels[row]!);
      if (!hasBothClasses(own)) return [];
      const take = (name: Name): number[] => rows.map((row) => scores[name][row]!);
      const questions = rows.map((row) => questionIds[row]!);
      const result = pairedTest(take(first), take(second), own, questions, options);
      return [{ first, second, row_count: rows.length, ...result }];
    }),
  );
  const corrected = holmCorrect(found.map(({ p_value }) => p_value));
  return found.map((comparison, i) => ({ ...comparison, p_value_holm: corrected[i]! }));
}

/**
 * Holm's step-down correction: the chance of any false finding among all is at most the level.
 * @param pValues null where there was no test; not counted
 * @see Holm 1979, "A simple sequentially rejective multiple test procedure"
 */
export function holmCorrect(pValues: readonly (number | null)[]): (number | null)[] {
  const order = pValues
    .flatMap((value, i) => (value === null ? [] : [{ value, i }]))
    .sort((a, b) => a.value - b.value);
  const corrected: (number | null)[] = pValues.map(() => null);
  let largest = 0;
  order.forEach(({ value, i }, rank) => {
    largest = Math.max(largest, Math.min(1, value * (order.length - rank)));
    corrected[i] = largest;
  });
  return corrected;
}
