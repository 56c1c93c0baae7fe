import { rougeL, rougeTokens } from "../text/rouge-l.ts";

/** Words of an answer that are compared; the work for a pair grows with the product of both lengths. */
export const MOST_COMPARED_WORDS: number = 1 << 14;

/**
 * How little the samples' words agree: minus the mean ROUGE-L of all pairs of samples. Two samples without an answer
 * agree; one without agrees with no text. Of longer answers the first {@link MOST_COMPARED_WORDS} words count.
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

/** Whether `lexicalSimilarity` leaves words of an answer out. */
export const exceedsComparedWords = (answer: string | null): boolean =>
  answer !== null && answer.length > MOST_COMPARED_WORDS && rougeTokens(answer).length > MOST_COMPARED_WORDS;
