import { logSumExp } from "../math/entropy.ts";
import { mean } from "../math/vector.ts";
import type { EntailmentProbs } from "../meaning/entailer.ts";
import { rougeL, rougeTokens } from "../text/rouge-l.ts";
import { type EntailmentMatrix, requireSquare } from "./question-samples.ts";

/** Most words of an answer that are compared; the cost of a pair grows with the product of both lengths. */
export const MOST_COMPARED_WORDS: number = 1 << 14;

/**
 * How little the samples' words agree: minus the mean ROUGE-L of all pairs of samples. Two samples without an answer
 * agree; one without agrees with no text. Of longer answers, only the first {@link MOST_COMPARED_WORDS} words count.
 * @param answers [K]
 * @returns in [-1, 0]
 * @throws RangeError if K < 2
 * @see Fomicheva et al. 2020; Kuhn et al. 2023, "Lexical similarity"; `LexicalSimilarity_rougeL` of lm-polygraph
 */
export function lexicalSimilarity(answers: readonly (string | null)[]): number {
  const tokens = answers.map((answer) => (answer === null ? null : comparedWords(answer)));
  let sum = 0;
  let pairs = 0;
  for (let i = 0; i < tokens.length; i++)
    for (let j = i + 1; j < tokens.length; j++) {
      const [a, b] = [tokens[i]!, tokens[j]!];
      sum += a === null || b === null ? Number(a === b) : rougeL(a, b);
      pairs += 1;
    }
  if (pairs === 0) throw new RangeError(`${answers.length} samples have no pairs`);
  return 0 - sum / pairs;
}

const comparedWords = (answer: string): string[] => rougeTokens(answer).slice(0, MOST_COMPARED_WORDS);

/** Whether `lexicalSimilarity` ignores words of an answer. */
export const exceedsComparedWords = (answer: string | null): boolean =>
  answer !== null && answer.length > MOST_COMPARED_WORDS && rougeTokens(answer).length > MOST_COMPARED_WORDS;

/**
 * Number of semantic sets: connected components of the graph that joins two samples where entailment is more
 * probable than contradiction in both directions.
 * @returns from 1 to K
 * @throws RangeError if K = 0 or the matrix is not square
 * @see Lin et al. 2024, section 4.2; `NumSemSets` of lm-polygraph
 */
export function countSemanticSets(entailment: EntailmentMatrix): number {
  requireSquare(entailment);
  const joined = (i: number, j: number): boolean =>
    entailment[i]![j]!.entailment > entailment[i]![j]!.contradiction &&
    entailment[j]![i]!.entailment > entailment[j]![i]!.contradiction;
  const left = new Set(entailment.keys());
  let sets = 0;
  for (const seed of left) {
    sets += 1;
    const queue = [seed];
    left.delete(seed);
    for (const i of queue)
      for (const j of left)
        if (joined(i, j)) {
          left.delete(j);
          queue.push(j);
        }
  }
  return sets;
}

/**
 * LUQ on whole answers: 1 - the mean over ordered pairs of different samples of p(entailment) against
 * p(contradiction), neutral left out.
 * @returns in [0, 1]
 * @throws RangeError if K < 2 or the matrix is not square
 * @see Zhang et al. 2024, "LUQ: Long-text uncertainty quantification"; `LUQ` of lm-polygraph
 */
export function luq(entailment: EntailmentMatrix): number {
  requireSquare(entailment);
  const n = entailment.length;
  if (n < 2) throw new RangeError("one sample has no pairs");
  let sum = 0;
  for (const [i, row] of entailment.entries())
    for (const [j, probs] of row.entries()) if (i !== j) sum += supportShare(probs);
  return 1 - sum / (n * (n - 1));
}

/** p(entailment) where only entailment and contradiction are possible; 1/2 where the model allows neither. */
function supportShare({
  entailment,
  contradiction,
}: {
  readonly entailment: number;
  readonly contradiction: number;
}): number {
  const both = entailment + contradiction;
  return both === 0 ? 0.5 : entailment / both;
}

/**
 * SelfCheck-NLI: how strongly the samples contradict an answer, sentence by sentence: the mean over samples of
 * p(contradiction) against p(entailment), neutral left out, then the mean over the answer's sentences.
 * @param verdicts [S][N] of each sentence (premise) and each sample (hypothesis), in the order of the published code
 * @returns in [0, 1]
 * @throws RangeError if S = 0 or N = 0
 * @see Manakul et al. 2023, "SelfCheckGPT", section 5.4; `SelfCheckNLI` of selfcheckgpt
 */
export function selfCheckNli(verdicts: readonly (readonly EntailmentProbs[])[]): number {
  if (verdicts.length === 0) throw new RangeError("no sentences");
  const scores = verdicts.map((samples) => {
    if (samples.length === 0) throw new RangeError("no samples");
    return samples.reduce((sum, probs) => sum + 1 - supportShare(probs), 0) / samples.length;
  });
  return mean(scores);
}

/**
 * Semantic density of one answer among others, with a minus sign: -sum p_i k(d_i) / sum p_i, where d_i is what the NLI
 * model expects of the distance between the answer (premise) and another one, contradiction 1 and neutral 1/2, and
 * k(d) = max(0, 1 - d).
 * @param meanLogprobs [N] log-probability of each other answer, mean over its tokens, nats
 * @param verdicts     [N] of the answer as premise and each other one as hypothesis
 * @returns in [-1, 0]
 * @throws RangeError if N = 0, the lengths differ, or every probability is 0
 * @see Qiu and Miikkulainen 2024, "Semantic density", equations 5 to 8; `SemanticDensity` of lm-polygraph and of uqlm
 */
export function semanticDensity(
  meanLogprobs: readonly number[],
  verdicts: readonly Pick<EntailmentProbs, "neutral" | "contradiction">[],
): number {
  if (meanLogprobs.length === 0) throw new RangeError("no answers");
  if (meanLogprobs.length !== verdicts.length)
    throw new RangeError(`${meanLogprobs.length} log-probabilities for ${verdicts.length} verdicts`);
  const total = logSumExp(meanLogprobs);
  if (total === -Infinity) throw new RangeError("every answer has probability 0");
  const density = verdicts.reduce(
    (sum, { contradiction, neutral }, i) =>
      sum + Math.exp(meanLogprobs[i]! - total) * Math.max(0, 1 - contradiction - neutral / 2),
    0,
  );
  return 0 - density;
}

/** How far a sample agrees with one answer, in [0, 1]. */
export type Agreement = (answer: number, sample: number) => number;

/**
 * How much the other samples differ from one answer: 1 - the mean of their agreement with it. A sample with the
 * same text agrees, whatever a model says about a text paired with itself.
 * @param answers [K] the answer itself included; null if a sample has none
 * @param main    index of the answer that the others are compared with
 * @returns in [0, 1]
 * @throws RangeError if K < 2
 * @see the black-box scorers `noncontradiction`, `entailment`, `exact_match` and `cosine_sim` of uqlm, 1 minus which
 *   this is
 */
export function answerInconsistency(
  answers: readonly (string | null)[],
  main: number,
  agreement: Agreement,
): number {
  if (answers.length < 2) throw new RangeError(`${answers.length} samples have nothing to be compared with`);
  let sum = 0;
  for (const [i, answer] of answers.entries())
    if (i !== main) sum += answer === answers[main] ? 1 : agreement(main, i);
  return 1 - sum / (answers.length - 1);
}

/** Chen and Mueller 2023: no contradiction, the mean of both directions. */
export const noncontradiction =
  (entailment: EntailmentMatrix): Agreement =>
  (i, j) =>
    1 - (entailment[i]![j]!.contradiction + entailment[j]![i]!.contradiction) / 2;

/** Entailment, the mean of both directions. */
export const mutualEntailment =
  (entailment: EntailmentMatrix): Agreement =>
  (i, j) =>
    (entailment[i]![j]!.entailment + entailment[j]![i]!.entailment) / 2;

/** Cole et al. 2023: the same text, and nothing else. */
export const exactMatch: Agreement = () => 0;

/** Cosine similarity, mapped from [-1, 1] to [0, 1] as in uqlm. */
export const cosineAgreement =
  (similarity: readonly (readonly number[])[]): Agreement =>
  (i, j) =>
    0.5 + similarity[i]![j]! / 2;

/**
 * SentenceSAR: each sample's probability is raised by those of the samples that resemble it,
 * -mean_i ln(p_i + sum_{j != i} p_j g_ij / t), t = 0.001.
 * @param sumLogprobs [K] log-probability of each whole sample, nats
 * @param similarity  [K, K]; below 0 counts as 0
 * @returns nats; can be below 0, since the sum can exceed 1
 * @throws RangeError if K = 0 or the shapes differ
 * @see Duan et al. 2024, "Shifting attention to relevance", equation 9; `SentenceSAR` of lm-polygraph
 */
export function sentenceSar(
  sumLogprobs: readonly number[],
  similarity: readonly (readonly number[])[],
): number {
  requireSquare(similarity);
  if (sumLogprobs.length !== similarity.length)
    throw new RangeError(`${sumLogprobs.length} log-probabilities for ${similarity.length} samples`);
  const raised = sumLogprobs.map((own, i) =>
    logSumExp(
      sumLogprobs.map((other, j) =>
        i === j ? own : other + Math.log(Math.max(0, similarity[i]![j]!) / TEMPERATURE),
      ),
    ),
  );
  return 0 - mean(raised);
}

/** The authors' t. */
const TEMPERATURE = 0.001;
