import { countTokensOf, cutAnswer } from "../engine/generate/answer-end.ts";
import type { TextTokenizer } from "../engine/tokenizer/text-tokenizer.ts";
import type { RunRecord } from "./run-record.ts";

/** A run, of which another tool or an earlier version may not have recorded how long its answer is. */
type EndedRun = Pick<RunRecord, "tokens" | "output_text" | "finish_reason" | "answer_token_count"> & {
  readonly sampler?: Partial<RunRecord["sampler"]>;
};

/** The model that runs are of. */
interface EndTokens {
  readonly endTokenIds: ReadonlySet<number>;
  readonly decode: TextTokenizer["decode"];
}

/**
 * How many leading tokens of a run are its answer: as recorded, or else by the model's end tokens and what the run
 * says of its sampler and its text.
 */
export function countAnswerTokens(
  { tokens, output_text, finish_reason, answer_token_count, sampler = {} }: EndedRun,
  { endTokenIds, decode }: EndTokens,
): number {
  if (answer_token_count !== undefined) return answer_token_count;
  const { stopStrings = [], stopTokenIds = [] } = sampler;
  const isStopped = finish_reason === "stop";
  const { text, answerTokenCount } = cutAnswer(tokens, {
    isEndToken: (id) => endTokenIds.has(id) || stopTokenIds.includes(id),
    stopStrings: isStopped ? stopStrings : [],
    decode,
  });
  // something stopped it that the run does not name, such as a stop token of a server's own
  const isUnexplained = isStopped && answerTokenCount === tokens.length && output_text !== "";
  return isUnexplained && text.startsWith(output_text)
    ? countTokensOf(tokens, output_text, decode)
    : answerTokenCount;
}
