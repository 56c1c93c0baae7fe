import { mean } from "../math/vector.ts";
import { evaluateScore, type InferenceOptions, type ScoreEvaluation } from "./evaluate-score.ts";

/** What the samples of a question mostly say. */
export interface CommonAnswer {
  /** Of the largest meaning cluster; null where no text is known. */
  readonly answer: string | null;
  /** Share of the samples in that cluster. */
  readonly cluster_share: number;
}

/** A question that most samples answer wrongly. */
export interface ConsistentlyWrongQuestion {
  readonly question_id: string;
  /** nats */
  readonly discrete_semantic_entropy: number;
  readonly answer: string | null;
  readonly cluster_share: number | null;
  readonly row_count: number;
  readonly incorrect_count: number;
  /** Mean of the accuracy probe's P(incorrect); null without. */
  readonly accuracy_probe: number | null;
}

/**
 * What semantic entropy cannot see: questions of low semantic entropy (not above the SE threshold) with more than
 * half of their answers wrong. Their samples agree on something wrong.
 */
export interface ConsistentlyWrong {
  /** Questions of low semantic entropy. */
  readonly low_entropy_questions: number;
  readonly question_count: number;
  /** Those among them whose samples all mean the same. */
  readonly single_cluster_count: number;
  /** Wrong answers to questions of low semantic entropy, and to all questions that have one. */
  readonly low_entropy_incorrect_rows: number;
  readonly incorrect_rows: number;
  /** Lowest entropy first, then most wrong. */
  readonly questions: readonly ConsistentlyWrongQuestion[];
  /** The accuracy probe against incorrectness, among answers to questions of low semantic entropy only. */
  readonly accuracy_probe: ScoreEvaluation;
}

/** Columns of a split; see `SplitScores`. */
interface Columns {
  readonly questionIds: readonly string[];
  readonly questionGroups: readonly string[];
  readonly incorrect: Uint8Array;
  readonly highSemanticEntropy: Uint8Array;
  readonly byName: Readonly<Record<"accuracy_probe" | "discrete_semantic_entropy", Float64Array>>;
}

/** Entropies of equal counts, summed in another order, may differ from 0 in the last bits. */
const ONE_CLUSTER = 1e-12;

/**
 * Finds the consistently wrong questions of a split.
 * @param answers by question id, as far as known
 */
export function findConsistentlyWrong(
  split: Columns,
  answers: ReadonlyMap<string, CommonAnswer>,
  options: InferenceOptions = {},
): ConsistentlyWrong {
  const { questionIds, incorrect, highSemanticEntropy, byName } = split;
  const { accuracy_probe: accuracyProbe, discrete_semantic_entropy: discreteSemanticEntropy } = byName;
  const known = Array.from(incorrect.keys()).filter((row) => !Number.isNaN(discreteSemanticEntropy[row]));
  const low = known.filter((row) => highSemanticEntropy[row] === 0);
  const rowsOf = new Map<string, number[]>();
  for (const row of low) rowsOf.set(questionIds[row]!, [...(rowsOf.get(questionIds[row]!) ?? []), row]);
  const countWrong = (rows: readonly number[]): number => rows.reduce((sum, row) => sum + incorrect[row]!, 0);
  const questions = [...rowsOf]
    .filter(([, rows]) => 2 * countWrong(rows) > rows.length)
    .map(([question, rows]) => {
      const judged = rows.map((row) => accuracyProbe[row]!).filter((score) => !Number.isNaN(score));
      const { answer = null, cluster_share = null } = answers.get(question) ?? {};
      return {
        question_id: question,
        discrete_semantic_entropy: discreteSemanticEntropy[rows[0]!]!,
        answer,
        cluster_share,
        row_count: rows.length,
        incorrect_count: countWrong(rows),
        accuracy_probe: judged.length === 0 ? null : mean(judged),
      };
    })
    .sort(
      (a, b) =>
        a.discrete_semantic_entropy - b.discrete_semantic_entropy ||
        b.incorrect_count / b.row_count - a.incorrect_count / a.row_count ||
        (a.question_id < b.question_id ? -1 : 1),
    );
  const onlyLow = new Set(low);
  const { evaluation } = evaluateScore(
    "accuracy probe at low semantic entropy",
    accuracyProbe.map((score, row) => (onlyLow.has(row) ? score : Number.NaN)),
    incorrect,
    split.questionGroups,
    options,
  );
  return {
    low_entropy_questions: rowsOf.size,
    question_count: questions.length,
    single_cluster_count: questions.filter((question) => question.discrete_semantic_entropy <= ONE_CLUSTER)
      .length,
    low_entropy_incorrect_rows: countWrong(low),
    incorrect_rows: countWrong(known),
    questions,
    accuracy_probe: evaluation,
  };
}

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
