import type { RankedToken } from "../engine/generate/generate.ts";
import type { TextTokenizer } from "../engine/tokenizer/text-tokenizer.ts";
import type { AnswerRisk, PreparedAnswer, ServedEnd, ServedToken } from "./answer-request.ts";
import type { TokenRisk } from "./monitor.ts";

// Answers in the shapes of OpenAI's API. What they say of risk is in a field `sep` of each choice, which clients that do not
// know it ignore; while streaming it travels inside ordinary chunks, since clients fail on events of another type.

/** What all parts of one response have in common. */
export interface ResponseHead {
  readonly id: string;
  /** Unix seconds. */
  readonly created: number;
  readonly model: string;
}

export interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
}

/** One of OpenAI's two completions APIs. */
export interface AnswerFormat {
  readonly idPrefix: string;
  /** A response that is not streamed. */
  whole(head: ResponseHead, answers: readonly WholeAnswer[], usage: Usage): object;
  /** Sent before the first token of a row; null for nothing. */
  begin(head: ResponseHead, row: number): object | null;
  /** null for a token that there is nothing to say of. */
  token(head: ResponseHead, token: ServedToken): object | null;
  end(head: ResponseHead, end: ServedEnd): object;
  usage(head: ResponseHead, usage: Usage): object;
}

export interface WholeAnswer {
  readonly tokens: readonly ServedToken[];
  readonly end: ServedEnd;
}

/** Whether a token completes no text and brings nothing else. */
const isSilent = ({ sep, topLogprobs }: PreparedAnswer["request"], token: ServedToken): boolean =>
  token.delta === "" &&
  (topLogprobs === null || token.isHeld) &&
  (sep.tokens === false || token.risks.length === 0);

/** A chunk's part of the risk. */
const riskChunk = (tokens: readonly TokenRisk[]): { readonly sep?: object } =>
  tokens.length === 0 ? {} : { sep: { tokens } };

/** The last chunk has what no other had. */
const riskEnd = ({ sep, risks }: ServedEnd): AnswerRisk => {
  const { tokens, ...rest } = sep;
  return tokens === undefined ? rest : { ...rest, tokens: risks };
};

/** `POST /v1/chat/completions` */
export function chatFormat({ request }: PreparedAnswer, tokenizer: TextTokenizer): AnswerFormat {
  const describe = describeChatToken(tokenizer);
  const logprobsOf = (tokens: readonly ServedToken[]) =>
    request.topLogprobs === null ? null : { content: tokens.map(describe), refusal: null };
  const chunk = (head: ResponseHead, choice: object) => ({
    ...head,
    object: "chat.completion.chunk",
    choices: [choice],
  });
  return {
    idPrefix: "chatcmpl-",
    whole: (head, answers, usage) => ({
      ...head,
      object: "chat.completion",
      choices: answers.map(({ tokens, end }) => ({
        index: end.row,
        message: { role: "assistant", content: end.text, refusal: null },
        logprobs: end.sep.action === null ? logprobsOf(tokens) : null,
        finish_reason: end.finishReason,
        sep: end.sep,
      })),
      usage,
    }),
    begin: (head, row) =>
      chunk(head, {
        index: row,
        delta: { role: "assistant", content: "" },
        logprobs: null,
        finish_reason: null,
      }),
    token: (head, token) =>
      isSilent(request, token)
        ? null
        : chunk(head, {
            index: token.row,
            delta: token.delta === "" ? {} : { content: token.delta },
            logprobs: token.isHeld ? null : logprobsOf([token]),
            finish_reason: null,
            ...riskChunk(request.sep.tokens === false ? [] : token.risks),
          }),
    end: (head, end) =>
      chunk(head, {
        index: end.row,
        delta: end.delta === "" ? {} : { content: end.delta },
        logprobs: null,
        finish_reason: end.finishReason,
        sep: riskEnd(end),
      }),
    usage: (head, usage) => ({ ...head, object: "chat.completion.chunk", choices: [], usage }),
  };
}

function describeChatToken(tokenizer: TextTokenizer) {
  const describe = ({ tokenId, logprob }: RankedToken) => {
    const token = tokenizer.decode([tokenId]);
    return { token, logprob, bytes: [...new TextEncoder().encode(token)] };
  };
  return (token: ServedToken) => ({ ...describe(token), top_logprobs: token.top.map(describe) });
}

/** `POST /v1/completions` */
export function completionFormat(
  { request, prompt }: PreparedAnswer,
  tokenizer: TextTokenizer,
): AnswerFormat {
  const echoed = request.echo ? prompt.text : "";
  const logprobsOf = (tokens: readonly ServedToken[]) => {
    if (request.topLogprobs === null) return null;
    let offset = echoed.length;
    return {
      tokens: tokens.map(({ tokenId }) => tokenizer.decode([tokenId])),
      token_logprobs: tokens.map(({ logprob }) => logprob),
      top_logprobs: tokens.map(({ top }) =>
        Object.fromEntries(top.map(({ tokenId, logprob }) => [tokenizer.decode([tokenId]), logprob])),
      ),
      text_offset: tokens.map(({ delta }) => {
        const at = offset;
        offset += delta.length;
        return at;
      }),
    };
  };
  const object = "text_completion";
  const chunk = (head: ResponseHead, choice: object) => ({ ...head, object, choices: [choice] });
  return {
    idPrefix: "cmpl-",
    whole: (head, answers, usage) => ({
      ...head,
      object,
      choices: answers.map(({ tokens, end }) => ({
        index: end.row,
        text: echoed + end.text,
        logprobs: end.sep.action === null ? logprobsOf(tokens) : null,
        finish_reason: end.finishReason,
        sep: end.sep,
      })),
      usage,
    }),
    begin: (head, row) =>
      echoed === "" ? null : chunk(head, { index: row, text: echoed, logprobs: null, finish_reason: null }),
    token: (head, token) =>
      isSilent(request, token)
        ? null
        : chunk(head, {
            index: token.row,
            text: token.delta,
            logprobs: token.isHeld ? null : logprobsOf([token]),
            finish_reason: null,
            ...riskChunk(request.sep.tokens === false ? [] : token.risks),
          }),
    end: (head, end) =>
      chunk(head, {
        index: end.row,
        text: end.delta,
        logprobs: null,
        finish_reason: end.finishReason,
        sep: riskEnd(end),
      }),
    usage: (head, usage) => ({ ...head, object, choices: [], usage }),
  };
}
