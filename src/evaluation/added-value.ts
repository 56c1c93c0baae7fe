import { rankedAuroc, rankScores } from "../math/auroc.ts";
import {
  fitLogisticRegression,
  type LogisticRegression,
  predictLogOdds,
} from "../math/logistic-regression.ts";
import { createRng, type Rng, shuffle } from "../math/rng.ts";
import { mean } from "../math/vector.ts";
import { groupedStratifiedFolds, hasBothClasses } from "../probes/split-questions.ts";
import { DEFAULT_PERMUTATIONS, type InferenceOptions } from "./evaluate-score.ts";

/** What a score adds to others: two nested logistic regressions compared on questions that they were not fitted on. */
export interface AddedValue {
  readonly row_count: number;
  readonly question_count: number;
  /** Out-of-fold deviance per answer without and with the score: -2 mean log-likelihood, nats. */
  readonly deviance_without: number;
  readonly deviance_with: number;
  /** Share of the deviance that the score removes; negative if it only adds noise. */
  readonly deviance_reduction: number;
  /** Of the out-of-fold predictions. */
  readonly auc_without: number;
  readonly auc_with: number;
  /** One-sided, for a score that adds nothing; null where fewer than two questions can be exchanged. */
  readonly p_value: number | null;
  /** That were drawn. */
  readonly permutations: number;
}

/** How the models are compared. */
export interface AddedValueOptions extends InferenceOptions {
  /** [n] fold of each row, whole questions in each; five folds with about equal shares of wrong answers by default. */
  readonly foldOf?: ArrayLike<number>;
}

const FOLDS = 5;
/** Permutations as good as the observed score after which no more are drawn. */
const ENOUGH = 50;
/** Of the standardised columns: as much as one row pulls, so that separable folds stay finite. */
const RIDGE = 1;
/** Of a deviance per row. */
const ROUNDING = 1e-9;

/**
 * Does a score tell wrong answers from right ones beyond what other scores tell? A logistic regression on the others alone is
 * compared with one on the others and the score, by their deviance on questions out of fold. The p-value permutes what the score has
 * beyond the others, its residuals in a linear regression on them, between questions with as many rows:
 * p = (1 + #{permuted >= observed}) / (1 + permutations), of the deviance that is removed. It stops at fifty that are as good as
 * the observed score, where p = 50 / permutations so far: a score that adds nothing shows it soon.
 * @param others [d][n] columns without NaN; none for the share of wrong answers alone
 * @param score  [n] NaN where there is none: these rows are left out of both models
 * @param labels [n]
 * @returns null with one class, or with too few questions for folds
 * @see Besag and Clifford 1991, "Sequential Monte Carlo p-values"; Potter 2005, "A permutation test for inference in logistic regression with small- and moderate-sized data sets"
 */
export function measureAddedValue(
  others: readonly Float64Array[],
  score: Float64Array,
  labels: Uint8Array,
  questionIds: readonly string[],
  { permutations = DEFAULT_PERMUTATIONS, seed = 42, foldOf: givenFolds }: AddedValueOptions = {},
): AddedValue | null {
  const rows = Array.from(score.keys()).filter((row) =>
    [score, ...others].every((column) => Number.isFinite(column[row])),
  );
  const take = (column: Float64Array): Float64Array => standardise(rows.map((row) => column[row]!));
  const own = rows.map((row) => labels[row]!);
  const questions = rows.map((row) => questionIds[row]!);
  const folds = Math.min(FOLDS, new Set(questions).size);
  if (folds < 2 || !hasBothClasses(own)) return null;
  const base = others.map(take);
  const values = take(score);
  const foldOf =
    givenFolds === undefined
      ? groupedStratifiedFolds(questions, own, folds, seed)
      : Uint8Array.from(rows, (row) => givenFolds[row]!);
  const parts = partFolds(foldOf, own);
  if (parts.length === 0) return null;
  const { predicted: without } = predictOutOfFold(base, own, parts);
  const deviance = devianceOf(without, own);
  const { predicted: withScore, models } = predictOutOfFold([...base, values], own, parts);
  const removed = (predicted: Float64Array): number => deviance - devianceOf(predicted, own);
  const observed = removed(withScore);
  const residuals = residualsOf(values, base);
  const expected = values.map((value, i) => value - residuals[i]!);
  const permuter = createBlockPermuter(questions);
  const rng = createRng("added-value", seed);
  let atLeast = 0;
  let drawn = 0;
  if (permuter.exchangeable >= 2) {
    for (; drawn < permutations && atLeast < ENOUGH; drawn++) {
      const donors = permuter.draw(rng);
      const permuted = expected.map((value, row) => value + residuals[donors[row]!]!);
      const { predicted } = predictOutOfFold([...base, permuted], own, parts, models);
      // the same fit from another start may differ in the last digits
      if (!(removed(predicted) < observed - ROUNDING)) atLeast++;
    }
  }
  const aucOf = (predicted: Float64Array): number => rankedAuroc(rankScores(predicted), own);
  return {
    row_count: rows.length,
    question_count: new Set(questions).size,
    deviance_without: deviance,
    deviance_with: devianceOf(withScore, own),
    deviance_reduction: observed / deviance,
    auc_without: aucOf(without),
    auc_with: aucOf(withScore),
    p_value:
      permuter.exchangeable < 2 ? null : atLeast < ENOUGH ? (1 + atLeast) / (1 + drawn) : atLeast / drawn,
    permutations: drawn,
  };
}

/** Zero mean and unit variance; constant values become 0. */
function standardise(values: readonly number[]): Float64Array {
  const centre = mean(values);
  const spread = Math.sqrt(mean(values.map((value) => (value - centre) ** 2)));
  return Float64Array.from(values, (value) => (spread > 1e-12 ? (value - centre) / spread : 0));
}

interface Part {
  readonly fitted: Int32Array;
  readonly held: Int32Array;
}

/** Empty if the rest of a fold has one class. */
function partFolds(foldOf: Uint8Array, labels: readonly number[]): Part[] {
  const all = Array.from(foldOf.keys());
  const parts = Array.from(new Set(foldOf), (fold) => ({
    fitted: Int32Array.from(all.filter((row) => foldOf[row] !== fold)),
    held: Int32Array.from(all.filter((row) => foldOf[row] === fold)),
  }));
  const isFit = ({ fitted }: Part): boolean => hasBothClasses(fitted.map((row) => labels[row]!));
  return parts.every(isFit) ? parts : [];
}

/**
 * [n] log odds of each row by the model of the other folds.
 * @param starts a model of similar columns per part
 */
function predictOutOfFold(
  columns: readonly Float64Array[],
  labels: readonly number[],
  parts: readonly Part[],
  starts: readonly LogisticRegression[] = [],
): { readonly predicted: Float64Array; readonly models: readonly LogisticRegression[] } {
  const predicted = new Float64Array(labels.length);
  const models = parts.map(({ fitted, held }, i) => {
    const start = starts[i];
    const model = fitLogisticRegression(columns, labels, {
      ridge: RIDGE,
      rows: fitted,
      ...(start === undefined ? {} : { start }),
    });
    for (const row of held) predicted[row] = predictLogOdds(model, columns, row);
    return model;
  });
  return { predicted, models };
}

/** -2 mean log-likelihood of labels by log odds. */
function devianceOf(logOdds: Float64Array, labels: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < labels.length; i++) {
    const score = labels[i] === 1 ? logOdds[i]! : -logOdds[i]!;
    sum += Math.max(-score, 0) + Math.log1p(Math.exp(-Math.abs(score)));
  }
  return (2 * sum) / labels.length;
}

/** What is left of standardised values after a linear regression on standardised columns, by Gram-Schmidt. */
function residualsOf(values: Float64Array, columns: readonly Float64Array[]): Float64Array {
  const basis: Float64Array[] = [];
  for (const column of columns) {
    const left = withoutParts(column, basis);
    const norm = Math.sqrt(left.reduce((sum, value) => sum + value ** 2, 0));
    if (norm > 1e-9 * Math.sqrt(column.length)) basis.push(left.map((value) => value / norm));
  }
  return withoutParts(values, basis);
}

function withoutParts(values: Float64Array, basis: readonly Float64Array[]): Float64Array {
  return basis.reduce<Float64Array>((left, axis) => {
    const length = left.reduce((sum, value, i) => sum + value * axis[i]!, 0);
    return left.map((value, i) => value - length * axis[i]!);
  }, values);
}

interface BlockPermuter {
  /** Questions that can change places with another. */
  readonly exchangeable: number;
  /** @returns [n] the row that each row takes its value from */
  draw(rng: Rng): Int32Array;
}

/** Moves the rows of a question together, in order, to a question with as many rows. */
function createBlockPermuter(questionIds: readonly string[]): BlockPermuter {
  const blocks = new Map<string, number[]>();
  questionIds.forEach((question, row) => {
    const rows = blocks.get(question);
    if (rows === undefined) blocks.set(question, [row]);
    else rows.push(row);
  });
  const strata = new Map<number, number[][]>();
  for (const rows of blocks.values()) {
    const stratum = strata.get(rows.length);
    if (stratum === undefined) strata.set(rows.length, [rows]);
    else stratum.push(rows);
  }
  const movable = [...strata.values()].filter((stratum) => stratum.length > 1);
  return {
    exchangeable: movable.reduce((sum, stratum) => sum + stratum.length, 0),
    draw(rng) {
      const donors = Int32Array.from(questionIds.keys());
      for (const stratum of movable) {
        const drawn = shuffle(stratum, rng);
        stratum.forEach((rows, place) => {
          rows.forEach((row, i) => {
            donors[row] = drawn[place]![i]!;
          });
        });
      }
      return donors;
    },
  };
}
