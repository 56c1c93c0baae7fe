import { SepError } from "../../errors.ts";
import type { LanguageModel } from "../language-model.ts";
import { countTokensOf } from "./answer-end.ts";
import type { SamplerSettings } from "./sampler-settings.ts";

/** A text as the tokens of an answer. */
interface TokenisedAnswer {
  /** Without what ends it. */
  readonly text: string;
  /** Those of the text. */
  readonly tokenIds: readonly number[];
  /** What ends it: as the text itself has it, or the first stop string; undefined where any end token may follow. */
  readonly end: readonly number[] | undefined;
  /** How many of `[...tokenIds, ...end]` hold the text. */
  readonly answerTokenCount: number;
}

/**
 * Tokenises a text by itself as a model's whole answer. A text may have its end, a stop string or one end token; if it has
 * none and there are stop strings, the first one follows.
 * @throws SepError `bad-option` for a text that continues after an end
 */
export function tokeniseAnswer(
  { tokenizer, endTokenIds }: Pick<LanguageModel, "tokenizer" | "endTokenIds">,
  given: string,
  { stopStrings, stopTokenIds }: Pick<SamplerSettings, "stopStrings" | "stopTokenIds">,
): TokenisedAnswer {
  const encode = (text: string): number[] => tokenizer.encode(text, { specialTokens: false });
  const stop = stopStrings.find((each) => given.endsWith(each)) ?? "";
  const text = given.slice(0, given.length - stop.length);
  for (const each of stopStrings) if (text.includes(each)) throw refuse(each);
  const tokenIds = encode(text);
  const ended = tokenIds.findIndex((id) => endTokenIds.has(id) || stopTokenIds.includes(id));
  if (ended >= 0) {
    const last = tokenIds.slice(ended);
    if (last.length > 1 || stop !== "") throw refuse(tokenizer.decode(last.slice(0, 1)));
    const own = tokenIds.slice(0, -1);
    return { text: tokenizer.decode(own), tokenIds: own, end: last, answerTokenCount: own.length };
  }
  const ending = stop || stopStrings[0];
  if (ending === undefined) return { text, tokenIds, end: undefined, answerTokenCount: tokenIds.length };
  // together, since the end may share a token with the text
  const whole = encode(text + ending);
  const shared = whole.findIndex((id, i) => id !== tokenIds[i]);
  const cut = shared < 0 ? whole.length : shared;
  return {
    text,
    tokenIds: whole.slice(0, cut),
    end: whole.slice(cut),
    answerTokenCount: countTokensOf(whole, text, tokenizer.decode),
  };
}

const refuse = (end: string): SepError =>
  new SepError(
    "bad-option",
    `The answer continues after ${JSON.stringify(end)}, which ends an answer. Give only the part before it.`,
  );
