import { createHash } from "node:crypto";
import { extendRows } from "../../src/engine/generate/extend-rows.ts";
import { generate, type SampledAnswer, sampleAnswers } from "../../src/engine/generate/generate.ts";
import type { SamplerSettings } from "../../src/engine/generate/sampler-settings.ts";
import type { LanguageModel } from "../../src/engine/language-model.ts";
import { emptyKvBlock } from "../../src/engine/session/kv-block.ts";
import type { ChatMessage } from "../../src/engine/tokenizer/chat-template.ts";

/** What the local engine keys an answer's random stream on. */
export interface FakeStream {
  readonly seed: number;
  readonly streamKey: string;
  readonly runId: number;
}

export interface DrawOptions {
  readonly model: LanguageModel;
  readonly name: string;
  readonly maxModelLength: number;
  readonly logprobsMode?: "raw_logprobs" | "processed_logprobs";
  readonly knowsTokenIds?: boolean;
  readonly drawsBadly?: boolean;
  readonly streamOf?: (seed: number) => FakeStream | null;
  readonly signal: AbortSignal;
}

type Body = Readonly<Record<string, unknown>>;

/** vLLM's words for too many log-probabilities; null where there is nothing to refuse. */
export function refuseLogprobs(body: Body, most: number): string | null {
  const asked = typeof body.logprobs === "number" ? body.logprobs : Number(body.top_logprobs ?? 0);
  return asked > most
    ? `Requested sample logprobs of ${asked}, which is greater than max allowed: ${most}`
    : null;
}

/** What a request asks for, as far as a sampler knows it. */
const samplerOf = (body: Body, maxNewTokens: number): SamplerSettings => {
  const {
    temperature = 1,
    top_p: topP = 1,
    top_k: topK = 0,
    min_p: minP = 0,
  } = body as Record<string, number>;
  return {
    temperature,
    topP,
    topK: Math.max(0, topK),
    minP,
    repetitionPenalty: Number(body.repetition_penalty ?? 1),
    maxNewTokens,
    stopStrings: (body.stop ?? []) as readonly string[],
    stopTokenIds: (body.stop_token_ids ?? []) as readonly number[],
  };
};

const idOf = (body: Body, isChat: boolean): string =>
  `${isChat ? "chatcmpl" : "cmpl"}-${String(body.request_id ?? createHash("sha1").update(JSON.stringify(body)).digest("hex"))}`;

/** A streamed `/v1/completions`: a chunk a token. */
export interface StreamedCompletion {
  readonly id: string;
  readonly promptIds: readonly number[];
  /** The chunks, and the tokens that have come so far. */
  readonly chunks: AsyncGenerator<{ readonly chunk: unknown; readonly tokenIds: readonly number[] }, void>;
}

export function streamCompletion(
  body: Body,
  { model, name, maxModelLength, streamOf, signal }: DrawOptions,
): { readonly refusal: string } | StreamedCompletion {
  const promptIds = readPrompt(body, false, model);
  const most = Number(body.max_tokens ?? 16);
  const refusal = refuseLength(promptIds.length, most, maxModelLength);
  if (refusal !== null) return { refusal };
  const maxTokens = Math.min(most, maxModelLength - promptIds.length);
  const seed = Number(body.seed ?? 0);
  const stream = streamOf?.(seed) ?? { seed, streamKey: "fake", runId: 0 };
  const endless = body.ignore_eos === true;
  const ending: LanguageModel = endless ? Object.create(model, { endTokenIds: { value: new Set() } }) : model;
  const id = idOf(body, false);
  async function* chunks(): AsyncGenerator<{ chunk: unknown; tokenIds: readonly number[] }, void> {
    const tokenIds: number[] = [];
    const events = generate(
      ending,
      { tokenIds: promptIds },
      {
        ...{ seed: stream.seed, streamKey: stream.streamKey, runIds: [stream.runId], signal },
        sampler: samplerOf(body, maxTokens),
        topLogprobs: Number(body.logprobs ?? 0),
      },
    );
    for await (const event of events) {
      const isEnd = event.kind === "end";
      if (!isEnd) tokenIds.push(event.tokenId);
      const show = (tokenId: number): string => `token_id:${tokenId}`;
      const logprobs = isEnd
        ? null
        : {
            text_offset: [0],
            token_logprobs: [event.logprob],
            tokens: [show(event.tokenId)],
            top_logprobs: [Object.fromEntries(event.top.map((each) => [show(each.tokenId), each.logprob]))],
          };
      const choice = {
        index: 0,
        text: isEnd ? "" : event.delta,
        logprobs,
        finish_reason: isEnd ? event.answer.finishReason : null,
        stop_reason: null,
        token_ids: isEnd ? [] : [event.tokenId],
        ...(tokenIds.length === 1 ? { prompt_token_ids: promptIds } : {}),
      };
      yield {
        chunk: { id, object: "text_completion", created: 0, model: name, choices: [choice] },
        tokenIds,
      };
    }
  }
  return { id, promptIds, chunks: chunks() };
}

/** Answers a request of `/v1/completions` or `/v1/chat/completions`, its `n` answers each with a seed of its own. */
export async function drawCompletions(
  body: Body,
  isChat: boolean,
  { model, name, maxModelLength, streamOf, signal, ...options }: DrawOptions,
): Promise<
  | { readonly refusal: string }
  | {
      readonly body: Readonly<Record<string, unknown>>;
      readonly promptIds: readonly number[];
      /** Of the first answer. */
      readonly answer: SampledAnswer;
    }
> {
  const promptIds = readPrompt(body, isChat, model);
  const most = Number(body.max_tokens ?? 16);
  const refusal = refuseLength(promptIds.length, most, maxModelLength);
  if (refusal !== null) return { refusal };
  const maxTokens = Math.min(most, maxModelLength - promptIds.length);
  const asked = samplerOf(body, maxTokens);
  const sampler = options.drawsBadly ? { ...asked, temperature: 8, topP: 1 } : asked;
  const choices: unknown[] = [];
  const answers: SampledAnswer[] = [];
  for (let index = 0; index < Number(body.n ?? 1); index++) {
    const seed = Number(body.seed ?? 0) + index;
    const stream = streamOf?.(seed) ?? { seed, streamKey: "fake", runId: 0 };
    const [answer] = (await sampleAnswers(model, promptIds, {
      ...stream,
      runIds: [stream.runId],
      sampler,
      signal,
    })) as [SampledAnswer];
    answers.push(answer);
    const shaped = options.logprobsMode === "processed_logprobs" ? sampler.temperature || 1 : 1;
    const tops = await readTops(model, promptIds, answer.tokenIds, shaped);
    choices.push(describeChoice(index, answer, tops, { body, isChat, model, promptIds, ...options }));
  }
  return {
    promptIds,
    answer: answers[0] as SampledAnswer,
    body: {
      id: idOf(body, isChat),
      object: isChat ? "chat.completion" : "text_completion",
      created: 0,
      model: name,
      choices,
      ...(isChat && body.return_token_ids === true && options.knowsTokenIds !== false
        ? { prompt_token_ids: promptIds }
        : {}),
      usage: { prompt_tokens: promptIds.length },
      kv_transfer_params: null,
    },
  };
}

/** vLLM's words; what of an answer has no room is cut off without any. */
function refuseLength(promptLength: number, asked: number, most: number): string | null {
  if (asked > most) {
    return `max_tokens=${asked} cannot be greater than max_model_len=${most}. Please request fewer output tokens. (parameter=max_tokens, value=${asked})`;
  }
  if (promptLength > most) {
    return `This model's maximum context length is ${most} tokens. However, your prompt contains ${promptLength} input tokens, which exceeds this limit even without any output tokens. Please reduce the length of the input prompt.`;
  }
  const room = most - promptLength;
  return room < 1
    ? `max_tokens must be at least 1, got ${room}. (parameter=max_tokens, value=${room})`
    : null;
}

function readPrompt(body: Body, isChat: boolean, { tokenizer }: LanguageModel): readonly number[] {
  if (!isChat) {
    return typeof body.prompt === "string"
      ? tokenizer.encode(body.prompt, { specialTokens: true })
      : (body.prompt as readonly number[]);
  }
  const { enable_thinking: enableThinking } = (body.chat_template_kwargs ?? {}) as {
    readonly enable_thinking?: boolean;
  };
  if (tokenizer.renderChat === null) throw new Error("the model has no chat template");
  const text = tokenizer.renderChat(body.messages as readonly ChatMessage[], {
    addGenerationPrompt: true,
    enableThinking,
  });
  return tokenizer.encode(text, { specialTokens: false });
}

/** Log-probabilities of one token and of the most likely ones. */
interface Top {
  readonly logprob: number;
  readonly most: readonly (readonly [tokenId: number, logprob: number])[];
}

/** Runs prompt and answer once more, with the whole distribution at each token. */
async function readTops(
  { session, config }: LanguageModel,
  promptIds: readonly number[],
  tokenIds: readonly number[],
  temperature: number,
): Promise<readonly Top[]> {
  const { logits } = await extendRows(session, [[...promptIds, ...tokenIds]], {
    prefix: emptyKvBlock(config, 1),
    suffix: emptyKvBlock(config, 1),
    predict: tokenIds.map((_, i) => ({ row: 0, offset: promptIds.length - 1 + i })),
    keepKv: false,
  });
  const size = config.vocabularySize;
  return tokenIds.map((tokenId, i) => {
    const scores = Float64Array.from(
      logits.subarray(i * size, (i + 1) * size),
      (logit) => logit / temperature,
    );
    const highest = scores.reduce((a, b) => Math.max(a, b), -Infinity);
    const total = Math.log(scores.reduce((sum, score) => sum + Math.exp(score - highest), 0)) + highest;
    const ids = [...scores.keys()].sort((a, b) => scores[b]! - scores[a]!);
    return {
      logprob: scores[tokenId]! - total,
      most: ids.slice(0, 20).map((id) => [id, scores[id]! - total] as const),
    };
  });
}

interface ChoiceOptions {
  readonly body: Body;
  readonly isChat: boolean;
  readonly model: LanguageModel;
  readonly promptIds: readonly number[];
  readonly knowsTokenIds?: boolean;
}

function describeChoice(
  index: number,
  { tokenIds, text, finishReason }: SampledAnswer,
  tops: readonly Top[],
  { body, isChat, model, promptIds, knowsTokenIds = true }: ChoiceOptions,
): unknown {
  const asIds = body.return_tokens_as_token_ids === true && knowsTokenIds;
  const show = (id: number): string => (asIds ? `token_id:${id}` : model.tokenizer.decode([id]));
  // the token that was drawn comes first, and stands there again where it is among the most likely
  const most = ({ logprob, most }: Top, id: number, count: number) => [
    [id, logprob] as const,
    ...most.slice(0, count).filter(([other]) => other !== id),
  ];
  const ids = body.return_token_ids === true && knowsTokenIds ? { token_ids: tokenIds } : {};
  const last = tokenIds.at(-1) as number;
  const named = (body.stop_token_ids ?? []) as readonly number[];
  const end = {
    finish_reason: finishReason,
    stop_reason: finishReason === "stop" && named.includes(last) ? last : null,
  };
  if (isChat) {
    const count = Number(body.top_logprobs ?? 0);
    const content = tops.map((top, i) => ({
      token: show(tokenIds[i]!),
      logprob: top.logprob,
      bytes: null,
      top_logprobs: most(top, tokenIds[i]!, count).map(([id, logprob]) => ({
        token: show(id),
        logprob,
        bytes: null,
      })),
    }));
    return {
      index,
      message: { role: "assistant", content: text },
      logprobs: body.logprobs === true ? { content } : null,
      ...end,
      ...ids,
    };
  }
  const count = Number(body.logprobs ?? 0);
  return {
    index,
    text,
    logprobs:
      body.logprobs == null
        ? null
        : {
            text_offset: tokenIds.map(() => 0),
            token_logprobs: tops.map(({ logprob }) => logprob),
            tokens: tokenIds.map(show),
            top_logprobs: tops.map((top, i) =>
              Object.fromEntries(most(top, tokenIds[i]!, count).map(([id, logprob]) => [show(id), logprob])),
            ),
          },
    ...end,
    ...ids,
    ...(body.return_token_ids === true && knowsTokenIds ? { prompt_token_ids: promptIds } : {}),
  };
}
