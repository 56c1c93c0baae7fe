import { countShared, scoreContinuations } from "../engine/generate/score-continuations.ts";
import type { LanguageModel } from "../engine/language-model.ts";
import { symmetricEigen } from "../math/symmetric-eigen.ts";
import { dot, mean } from "../math/vector.ts";
import { mapPairs } from "./question-samples.ts";

/**
 * EigenScore: the mean logarithm of the eigenvalues of the samples' covariance, Z J Z' + 0.001 I, where J subtracts each
 * sample's mean over its features.
 * @param Z [K][D] one hidden state per sample, usually of the last token at the middle layer
 * @returns nats, from ln 0.001
 * @throws RangeError if K = 0, D = 0, or the widths differ
 * @see Chen et al. 2024, "INSIDE", equation 6; `EigenScore` of lm-polygraph. The authors' code divides the covariance
 *   by D - 1 and takes decimal logarithms.
 */
export function eigenScore(Z: readonly ArrayLike<number>[]): number {
  if (Z.length === 0) throw new RangeError("no samples");
  const rows = Z.map((row) => {
    if (row.length === 0 || row.length !== Z[0]!.length)
      throw new RangeError(`hidden states of ${Z[0]!.length} and ${row.length} numbers`);
    const values = Float64Array.from(row);
    const centre = mean(values);
    return values.map((x) => x - centre);
  });
  const below = rows.map((row, i) => rows.slice(0, i + 1).map((other) => dot(row, other)));
  const covariance = mapPairs(
    rows.length,
    (i, j) => below[Math.max(i, j)]![Math.min(i, j)]! + (i === j ? REGULARISATION : 0),
  );
  const { values } = symmetricEigen(covariance);
  // no eigenvalue is below the regularisation, except by rounding of large ones
  return mean(values.map((value) => Math.log(Math.max(value, REGULARISATION))));
}

/** The authors' alpha. */
const REGULARISATION = 1e-3;

/**
 * The confidence that a model states in words: the last of "Confidence: 85%", "Probability: 0.85",
 * "I am 85% sure", "80 percent confident", "confidence of 7/10". A bare number above 1 is a percentage; one of at
 * most 1 is a probability.
 * @returns in [0, 1]; null if no confidence is stated, or one that cannot be (120%, 11/10)
 * @see Tian et al. 2023, "Just ask for calibration"; Lin et al. 2022, "Teaching models to express their uncertainty"
 */
export function verbalisedConfidence(text: string): number | null {
  const found = PATTERNS.flatMap((pattern) => [...text.matchAll(pattern)])
    .sort((a, b) => a.index - b.index)
    .at(-1)?.groups;
  if (found === undefined) return null;
  const number = Number((found.number as string).replace(",", "."));
  const scale =
    found.unit !== undefined ? 100 : found.of !== undefined ? Number(found.of) : number > 1 ? 100 : 1;
  const confidence = number / scale;
  return scale > 0 && confidence <= 1 ? confidence : null;
}

// Runs of digits, spaces and bracketed text are bounded; otherwise a text of nothing else would take time quadratic in its
// length.
const NUMBER =
  "(?<number>\\d{1,9}(?:[.,]\\d{1,100}(?!\\d)|(?!\\d|[.,]\\d{101})))\\s{0,20}(?:(?<unit>%|percent|per cent)|/\\s{0,20}(?<of>10|100)\\b)?";
const PATTERNS: readonly RegExp[] = [
  // Confidence: 85%   Probability (0 to 1) = 0.85   confidence level is about 7/10
  new RegExp(
    `\\b(?:confidence|probability|certainty)\\b(?:\\s{0,20}\\([^)]{0,200}\\))?(?:\\s{1,20}(?:level|score|rating|estimate))?` +
      `[\\s*_]{0,20}(?::|=|is|of)[\\s*_]{0,20}(?:about|around|approximately|roughly|~)?\\s{0,20}${NUMBER}`,
    "gi",
  ),
  // 85% confident   80 percent sure
  /(?<!\d)(?<number>\d{1,9}(?:[.,]\d{1,100})?)\s{0,20}(?<unit>%|percent|per cent)\s{0,20}(?:confident|sure|certain)\b/gi,
];

/** A question, sampled answers to it, and the answer to judge. */
export interface PTrueCase {
  readonly question: string;
  /** The samples, without the answer itself. */
  readonly brainstormed: readonly string[];
  readonly answer: string;
}

/** A case whose verdict is known, as an example. */
export interface PTrueShot extends PTrueCase {
  readonly correct: boolean;
}

/**
 * The prompt of p(True), whose next token is " A" for true or " B" for false; examples end their lines in a space, the
 * question does not, as in the published code.
 * @see Kadavath et al. 2022, "Language models (mostly) know what they know"; `p_true.py` of OATML's code
 */
export function buildPTruePrompt(
  { question, brainstormed, answer }: PTrueCase,
  shots: readonly PTrueShot[] = [],
): string {
  const ideas = [...brainstormed, answer].map((each) => `${each.trim()}\n`).join("");
  return `${openPTruePrompt(shots)}${question}\nBrainstormed Answers: ${ideas}${ask(answer)}`;
}

/** What all prompts with the same examples begin with. */
export function openPTruePrompt(shots: readonly PTrueShot[]): string {
  const examples = shots.map(
    (shot) =>
      `Question: ${shot.question}\nBrainstormed Answers: ` +
      [shot.answer, ...shot.brainstormed].map((each) => `${each.trim()} \n`).join("") +
      ask(shot.answer) +
      (shot.correct ? TRUE : FALSE),
  );
  return [...examples, "Question: "].join("\n");
}

const ask = (answer: string): string =>
  `Possible answer: ${answer}\nIs the possible answer:\nA) True\nB) False\nThe possible answer is:`;

const TRUE = " A";
const FALSE = " B";

/**
 * The log-probability that a model gives to an answer being true: ln p(" A") after the prompt, over its whole vocabulary. Where " A"
 * is several tokens, the last one counts, as in the published code.
 * @param options.opening what the prompt begins with, and others do too: it is run once for all of them
 * @returns nats, at most 0
 */
export async function logPTrue(
  model: LanguageModel,
  prompt: string,
  { opening = "", signal }: { readonly opening?: string; readonly signal?: AbortSignal | undefined } = {},
): Promise<number> {
  const encode = (text: string): number[] => model.tokenizer.encode(text, { specialTokens: true });
  const tokenIds = encode(prompt + TRUE);
  const asked = {
    tokenIds: tokenIds.slice(0, -1),
    sharedTokens: opening === "" ? [] : [countShared(tokenIds, encode(opening))],
  };
  const [score] = await scoreContinuations(model, asked, [tokenIds.slice(-1)], { signal });
  return score!;
}
