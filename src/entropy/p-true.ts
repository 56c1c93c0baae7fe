import { scoreContinuations } from "../engine/generate/score-continuations.ts";
import type { LanguageModel } from "../engine/language-model.ts";

/** A question, what was said to it, and the answer that is to be judged. */
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
  const examples = shots.map(
    (shot) =>
      `Question: ${shot.question}\nBrainstormed Answers: ` +
      [shot.answer, ...shot.brainstormed].map((each) => `${each.trim()} \n`).join("") +
      ask(shot.answer) +
      (shot.correct ? TRUE : FALSE),
  );
  const ideas = [...brainstormed, answer].map((each) => `${each.trim()}\n`).join("");
  return [...examples, `Question: ${question}\nBrainstormed Answers: ${ideas}${ask(answer)}`].join("\n");
}

const ask = (answer: string): string =>
  `Possible answer: ${answer}\nIs the possible answer:\nA) True\nB) False\nThe possible answer is:`;

const TRUE = " A";
const FALSE = " B";

/**
 * How likely a model says that an answer is true: ln p(" A") after the prompt, over its whole vocabulary. Where " A"
 * is several tokens, the last one counts, as in the published code.
 * @returns nats, at most 0
 */
export async function logPTrue(
  model: LanguageModel,
  prompt: string,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<number> {
  const tokenIds = model.tokenizer.encode(prompt + TRUE, { specialTokens: true });
  const [score] = await scoreContinuations(model, tokenIds.slice(0, -1), [tokenIds.slice(-1)], { signal });
  return score!;
}
