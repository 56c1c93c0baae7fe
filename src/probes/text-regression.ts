import { logistic } from "../math/logistic.ts";
import { addScaled, dot } from "../math/vector.ts";
import { questionWords } from "../text/segment-text.ts";

/** Texts as sparse vectors of unit length: row i has `columns[i]`, each with the value `1 / sqrt(columns[i].length)`. */
interface HashedTexts {
  /** [n][m_i] which n-grams a text has, each once, as hashes below `HASH_SIZE`. */
  readonly columns: readonly Int32Array[];
}

/** How many hashes there are: some ten thousand n-grams of a data set rarely collide. */
const HASH_SIZE = 2 ** 16;

/**
 * The words and pairs of words of each text, hashed. A number also counts as its count of digits, so that "three digits plus
 * three digits" is a pattern whatever the digits are.
 */
export function hashTexts(texts: readonly string[]): HashedTexts {
  const known = new Map<string, Int32Array>();
  return {
    columns: texts.map((text) => {
      const found = known.get(text);
      if (found !== undefined) return found;
      const words = questionWords(text);
      const hashes = new Set<number>();
      words.forEach((word, i) => {
        hashes.add(hash(word));
        const [shape, next] = [shapeOf(word), words[i + 1]];
        if (shape !== word) hashes.add(hash(shape));
        if (next !== undefined) hashes.add(hash(`${shape} ${shapeOf(next)}`));
      });
      const columns = Int32Array.from(hashes).sort();
      known.set(text, columns);
      return columns;
    }),
  };
}

const shapeOf = (word: string): string => word.replace(/\p{N}/gu, "0");

/** FNV-1a over UTF-16 units, folded to the table's size. */
function hash(word: string): number {
  let state = 0x811c9dc5;
  for (let i = 0; i < word.length; i++) state = Math.imul(state ^ word.charCodeAt(i), 0x01000193);
  return (state ^ (state >>> 16)) & (HASH_SIZE - 1);
}

/** A logistic regression on hashed texts. */
interface TextRegression {
  /** [HASH_SIZE] */
  readonly weights: Float64Array;
  readonly intercept: number;
}

const MAX_STEPS = 30;
const MAX_INNER_STEPS = 100;
/** Of the gradient's norm, over its norm at the start. */
const TOLERANCE = 1e-6;

/**
 * L2-penalised logistic regression on hashed texts, the intercept unpenalised, by Newton's method with conjugate gradients:
 * scikit-learn's `LogisticRegression(C=C)` on the same vectors.
 * @param labels [n] 0 or 1, both present among the rows
 * @param rows   which rows to fit
 * @throws RangeError with one class
 * @see Lin, Weng and Keerthi 2008, "Trust region Newton method for large-scale logistic regression"
 */
export function fitTextRegression(
  { columns }: HashedTexts,
  labels: ArrayLike<number>,
  { rows, C = 1 }: { readonly rows: readonly number[]; readonly C?: number },
): TextRegression {
  const ones = rows.reduce((sum, row) => sum + labels[row]!, 0);
  if (ones === 0 || ones === rows.length)
    throw new RangeError(`A regression needs both classes; ${ones} of ${rows.length} labels are 1.`);
  const used = [...new Set(rows.flatMap((row) => [...columns[row]!]))];
  const placeOf = new Map(used.map((column, place) => [column, place]));
  const vectors = rows.map((row) => columns[row]!.map((column) => placeOf.get(column)!));
  const outcomes = rows.map((row) => labels[row]!);
  const theta = minimise(vectors, outcomes, used.length, C, Math.log(ones / (rows.length - ones)));
  const weights = new Float64Array(HASH_SIZE);
  used.forEach((column, place) => {
    weights[column] = theta[place]!;
  });
  return { weights, intercept: theta[used.length]! };
}

/** @returns [width + 1] the weights, then the intercept */
function minimise(
  vectors: readonly Int32Array[],
  outcomes: readonly number[],
  width: number,
  C: number,
  intercept: number,
): Float64Array {
  const scoresOf = (at: Float64Array): Float64Array =>
    Float64Array.from(vectors, (own) => scoreVector(own, at, at[width]!));
  const lossAt = (at: Float64Array, scores: Float64Array): number => {
    let loss = 0;
    for (let j = 0; j < width; j++) loss += 0.5 * at[j]! ** 2;
    for (let i = 0; i < scores.length; i++) {
      const score = scores[i]!;
      loss += C * (Math.max(score, 0) + Math.log1p(Math.exp(-Math.abs(score))) - outcomes[i]! * score);
    }
    return loss;
  };
  /** penalty · vector + C X^T values */
  const combine = (vector: Float64Array, values: Float64Array): Float64Array => {
    const sum = vector.slice();
    sum[width] = 0;
    vectors.forEach((own, i) => {
      const share = (C * values[i]!) / Math.sqrt(own.length || 1);
      for (const column of own) sum[column]! += share;
      sum[width]! += C * values[i]!;
    });
    return sum;
  };
  let theta: Float64Array = new Float64Array(width + 1);
  theta[width] = intercept;
  let scores = scoresOf(theta);
  let loss = lossAt(theta, scores);
  let enough = 0;
  for (let step = 0; step < MAX_STEPS; step++) {
    const probabilities = scores.map(logistic);
    const gradient = combine(
      theta,
      probabilities.map((probability, i) => probability - outcomes[i]!),
    );
    const norm = Math.sqrt(dot(gradient, gradient));
    if (step === 0) enough = TOLERANCE * norm;
    if (norm <= enough) break;
    const curves = probabilities.map((probability) => probability * (1 - probability));
    const change = solveNewton(gradient, (vector) =>
      combine(
        vector,
        scoresOf(vector).map((score, i) => score * curves[i]!),
      ),
    );
    const found = searchLine(theta, change, loss, (at) => {
      const own = scoresOf(at);
      return { scores: own, loss: lossAt(at, own) };
    });
    if (found === null) break;
    ({ theta, scores, loss } = found);
  }
  return theta;
}

interface Reached {
  readonly scores: Float64Array;
  readonly loss: number;
}

/** Halves a step until the loss falls; null if it does not, which is at the minimum to rounding. */
function searchLine(
  theta: Float64Array,
  change: Float64Array,
  loss: number,
  evaluate: (at: Float64Array) => Reached,
): (Reached & { readonly theta: Float64Array }) | null {
  for (let scale = 1; scale > 1e-6; scale /= 2) {
    const next = theta.slice();
    addScaled(next, -scale, change);
    const reached = evaluate(next);
    if (reached.loss < loss) return { theta: next, ...reached };
  }
  return null;
}

/** [n] log odds of label 1 of each text. */
export const scoreTexts = ({ columns }: HashedTexts, { weights, intercept }: TextRegression): Float64Array =>
  Float64Array.from(columns, (own) => scoreVector(own, weights, intercept));

function scoreVector(own: Int32Array, weights: Float64Array, intercept: number): number {
  let sum = 0;
  for (const column of own) sum += weights[column]!;
  return sum / Math.sqrt(own.length || 1) + intercept;
}

/** Conjugate gradients, to a hundredth of the right side: the Newton steps correct the rest. */
function solveNewton(right: Float64Array, multiply: (vector: Float64Array) => Float64Array): Float64Array {
  const solution = new Float64Array(right.length);
  const residual = right.slice();
  const direction = right.slice();
  let squares = dot(residual, residual);
  const enough = 1e-4 * squares;
  for (let step = 0; step < MAX_INNER_STEPS && squares > enough; step++) {
    const product = multiply(direction);
    const length = squares / dot(direction, product);
    addScaled(solution, length, direction);
    addScaled(residual, -length, product);
    const next = dot(residual, residual);
    for (let j = 0; j < direction.length; j++) direction[j] = residual[j]! + (next / squares) * direction[j]!;
    squares = next;
  }
  return solution;
}
