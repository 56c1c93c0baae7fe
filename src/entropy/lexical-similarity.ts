import { rougeL } from "../text/rouge-l.ts";
import { rougeTokens } from "../text/rouge-tokens.ts";

/**
 * How little the samples' words agree: minus the mean ROUGE-L of all pairs of samples. Two samples without an answer
 * agree; one without agrees with no text.
 * @param answers [K]
 * @returns in [-1, 0]
 * @throws RangeError if K < 2
 * @see Fomicheva et al. 2020; Kuhn et al. 2023, "Lexical similarity"; `LexicalSimilarity_rougeL` of lm-polygraph
 */
export function lexicalSimilarity(answers: readonly (string | null)[]): number {
  const tokens = answers.map((answer) => (answer === null ? null : rougeTokens(answer)));
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
