import { asRow, finiteOrNull, looseList, looseNumbers, type Row } from "../../formats/row-fields.ts";
import { type BestAnswer, TEXT_ONLY } from "../samples.ts";
import { gatherImported, type ImportedAnswer, type ImportedSamples } from "./imported-samples.ts";

/** Whether a file's value is what lm-polygraph's `UEManager` saves: `{"stats": {…}}`, or the inner object alone. */
export const isPolygraphFile = (file: Row): boolean =>
  "stats" in file || "sample_texts" in file || "greedy_texts" in file;

/**
 * The samples' texts, one list per question.
 * @throws TypeError if there are none
 */
export function listPolygraphTexts(file: Row): readonly unknown[] {
  const texts = looseList(statsOf(file), "sample_texts");
  if (texts !== null) return texts;
  throw new TypeError(
    'has no "sample_texts": give UEManager save_stats=["sample_texts", "sample_log_likelihoods", …]',
  );
}

/** @throws TypeError with the reason */
export const readPolygraphQuestion = (file: Row, place: number): ImportedSamples =>
  readQuestion(statsOf(file), place);

const statsOf = (file: Row): Row => ("stats" in file ? asRow(file.stats) : file);

function readQuestion(stats: Row, q: number): ImportedSamples {
  const of = (name: string): unknown => looseList(stats, name)?.[q];
  const texts = of("sample_texts");
  if (!Array.isArray(texts) || texts.length === 0) throw new TypeError('"sample_texts" is empty');
  const input = of("input_texts");
  return gatherImported(
    {
      id: `q-${String(q + 1).padStart(4, "0")}`,
      question: typeof input === "string" ? input : null,
      best: readBest(of),
    },
    texts.map((text, i) => readSample(text, i, of)),
    readEntailment(of("semantic_matrix_entail"), of("semantic_matrix_contra"), texts.length),
  );
}

/**
 * `sample_log_likelihoods` are of tokens, without the end token; `sample_log_probs` are of whole samples with it. Where
 * both are there, the end token's is what one has more than the other. With `sample_tokens` alone, which leave it out
 * too, a mean is over one token too few, as in lm-polygraph itself.
 */
function readSample(text: unknown, i: number, of: (name: string) => unknown): ImportedAnswer {
  if (typeof text !== "string") throw new TypeError(`"sample_texts[${i}]" is not a text`);
  const at = (name: string): unknown => {
    const list = of(name);
    return Array.isArray(list) ? list[i] : undefined;
  };
  const sumLogprob = finiteOrNull(at("sample_log_probs"));
  const tokens = at("sample_tokens");
  const logprobs = looseNumbers(at("sample_log_likelihoods"), "sample_log_likelihoods");
  return {
    ...TEXT_ONLY,
    text,
    tokenLogprobs: logprobs?.length ? withEndToken(logprobs, sumLogprob) : null,
    sumLogprob,
    tokenCount: Array.isArray(tokens) ? tokens.length : null,
    hiddenState: looseNumbers(at("sample_embeddings"), "sample_embeddings"),
  };
}

function withEndToken(logprobs: readonly number[], sumLogprob: number | null): readonly number[] {
  if (sumLogprob === null) return logprobs;
  const rest = sumLogprob - logprobs.reduce((sum, value) => sum + value, 0);
  return rest < -ROUNDING ? [...logprobs, rest] : logprobs;
}

/** Of sums of some hundred log-probabilities in float64. */
const ROUNDING = 1e-9;

function readBest(of: (name: string) => unknown): BestAnswer | null {
  const text = of("greedy_texts");
  if (typeof text !== "string") return null;
  return {
    text,
    tokenLogprobs: looseNumbers(of("greedy_log_likelihoods"), "greedy_log_likelihoods"),
    tokenEntropies: looseNumbers(of("entropy"), "entropy"),
    isCorrect: null,
  };
}

/** [K][K]; what is neither entailment nor contradiction is neutral. */
function readEntailment(entail: unknown, contra: unknown, count: number): ImportedSamples["entailment"] {
  if (!Array.isArray(entail) || !Array.isArray(contra)) return null;
  const cell = (matrix: readonly unknown[], name: string, i: number, j: number): number => {
    const row = looseNumbers(matrix[i], name);
    if (matrix.length !== count || row?.length !== count)
      throw new TypeError(`"${name}" is not a matrix of ${count} samples`);
    return row[j]!;
  };
  return Array.from({ length: count }, (_, i) =>
    Array.from({ length: count }, (_, j) => {
      const entailment = cell(entail, "semantic_matrix_entail", i, j);
      const contradiction = cell(contra, "semantic_matrix_contra", i, j);
      return { entailment, contradiction, neutral: Math.max(0, 1 - entailment - contradiction) };
    }),
  );
}
