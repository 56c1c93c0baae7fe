/** Questions whose discrete semantic entropy lies in one bin. */
export interface EntropyBin {
  /** nats; from here, and below `high`; the last bin includes its end. */
  readonly low: number;
  readonly high: number;
  readonly question_count: number;
  /** Those with more than half of their answers wrong. */
  readonly mostly_wrong_count: number;
}

const BINS = 20;

/**
 * The distribution of discrete semantic entropy over a split's questions, in bins of equal width from 0 to the largest.
 * @param entropies [n] of each row's question, nats; rows where it is NaN are left out
 * @returns empty without any
 */
export function countEntropies(
  entropies: Float64Array,
  incorrect: Uint8Array,
  questionIds: readonly string[],
): EntropyBin[] {
  const questions = new Map<string, { readonly entropy: number; rows: number; wrong: number }>();
  questionIds.forEach((question, row) => {
    const entropy = entropies[row]!;
    if (Number.isNaN(entropy)) return;
    const own = questions.get(question) ?? { entropy, rows: 0, wrong: 0 };
    own.rows++;
    own.wrong += incorrect[row]!;
    questions.set(question, own);
  });
  if (questions.size === 0) return [];
  const all = [...questions.values()];
  const largest = all.reduce((most, { entropy }) => Math.max(most, entropy), 0);
  const width = largest > 0 ? largest / BINS : 1;
  const binOf = (entropy: number): number => Math.min(Math.floor(entropy / width), BINS - 1);
  return Array.from({ length: BINS }, (_, bin) => {
    const own = all.filter(({ entropy }) => binOf(entropy) === bin);
    return {
      low: bin * width,
      high: (bin + 1) * width,
      question_count: own.length,
      mostly_wrong_count: own.filter(({ rows, wrong }) => 2 * wrong > rows).length,
    };
  });
}
