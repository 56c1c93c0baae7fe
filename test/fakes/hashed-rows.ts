import { hashed } from "./hashed.ts";

/** Rows of test/golden/generate/probes.py. */
export interface HashedRows {
  /** [n,d] */
  readonly features: Float32Array;
  readonly labels: Uint8Array;
  /** The numbers behind the labels, as semantic entropies are. */
  readonly values: Float64Array;
  readonly questionIds: readonly string[];
  /** question % 5 */
  readonly foldOf: Uint8Array;
}

const ROWS_A_QUESTION = 3;

/** Three rows a question, features of different scales that a question's difficulty runs through, the last constant. */
export function makeHashedRows(n: number, d: number): HashedRows {
  const features = new Float32Array(n * d);
  const values = new Float64Array(n);
  const questions = Array.from({ length: n }, (_, i) => Math.floor(i / ROWS_A_QUESTION));
  for (let i = 0; i < n; i++) {
    const shared = hashed(questions[i]!, 9999) - 0.5;
    for (let j = 0; j < d; j++) {
      const value = (1 + (j % 7)) * (hashed(i, j) - 0.5 + shared * ((j % 3) - 0.5)) + j;
      features[i * d + j] = j === d - 1 ? 3.25 : value;
    }
    values[i] = Math.max(0, hashed(i, 7777) + 0.9 * shared + 0.3 * (hashed(i, 0) - 0.5) - 0.1);
  }
  return {
    features,
    labels: Uint8Array.from(values, (value) => (value > 0.52 ? 1 : 0)),
    values,
    questionIds: questions.map((question) => `q${question}`),
    foldOf: Uint8Array.from(questions, (question) => question % 5),
  };
}
