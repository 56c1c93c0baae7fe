import type { RankedToken } from "../../engine/generate/generate.ts";
import type { SamplerSettings } from "../../engine/generate/sampler-settings.ts";
import type { Prompt } from "../../engine/tokenizer/build-prompt.ts";
import { SepError } from "../../errors.ts";
import { quoteAnswer } from "../../net/describe-outcome.ts";
import { type Answered, parseBody } from "../../net/send-once.ts";

/** The server's API for prompts: token ids, or messages that it renders itself. */
export const ANSWER_APIS = ["completions", "chat"] as const;
export type AnswerApi = (typeof ANSWER_APIS)[number];

/** The most that vLLM returns by default (`--max-logprobs`). */
const TOP_LOGPROBS = 20;

export interface AnswerRequestOptions {
  /** What the server calls the model. */
  readonly model: string;
  readonly api: AnswerApi;
  readonly sampler: SamplerSettings;
  /** Of this answer alone. */
  readonly sampleSeed: number;
  readonly maxTokens: number;
  /** Tokens that end an answer. */
  readonly endTokenIds: ReadonlySet<number>;
  /** By which the file of its hidden states is recognised, if the server writes one. */
  readonly requestName: string;
}

/** Where a request goes, under the address of the API. */
export const answerPath = (api: AnswerApi): string => (api === "chat" ? "/chat/completions" : "/completions");

/**
 * The body of a request for one answer. Every setting of the sampler is sent, since a server has defaults of its own
 * from the model's generation_config.json. One answer per request, although `n` would give several: not every server
 * gives each of the n a random stream of its own, and a request that fails then loses one answer and not K.
 * @see https://docs.vllm.ai/en/stable/serving/openai_compatible_server.html
 */
export function buildAnswerRequest(prompt: Prompt, options: AnswerRequestOptions): Record<string, unknown> {
  const { model, api, sampler, sampleSeed, maxTokens, endTokenIds, requestName } = options;
  const shared = {
    model,
    request_id: requestName,
    n: 1,
    seed: sampleSeed,
    temperature: sampler.temperature,
    top_p: sampler.topP,
    top_k: sampler.topK === 0 ? -1 : sampler.topK, // every version reads -1 as all
    min_p: sampler.minP,
    repetition_penalty: sampler.repetitionPenalty,
    presence_penalty: 0,
    frequency_penalty: 0,
    max_tokens: maxTokens,
    stop: sampler.stopStrings,
    stop_token_ids: [...new Set([...endTokenIds, ...sampler.stopTokenIds])],
    include_stop_str_in_output: false,
    // as the local engine decodes, so that a stop string may be or contain a special token
    skip_special_tokens: false,
    spaces_between_special_tokens: false,
    return_token_ids: true,
    // two tokens may be the same text, such as parts of one character, and one would hide the other
    return_tokens_as_token_ids: true,
  };
  if (api === "completions") return { ...shared, prompt: prompt.tokenIds, logprobs: TOP_LOGPROBS };
  const { messages = [], enableThinking } = prompt.chat ?? {};
  return {
    ...shared,
    messages,
    logprobs: true,
    top_logprobs: TOP_LOGPROBS,
    ...(enableThinking === undefined ? {} : { chat_template_kwargs: { enable_thinking: enableThinking } }),
  };
}

/**
 * The body of a request for an answer with the hidden states of all of its tokens. The server does not know where it
 * ends: whoever reads the stream closes it, and not before one token more has come, since the states of the latest one
 * are not there yet.
 * @see https://docs.vllm.ai/en/latest/features/speculative_decoding/extract_hidden_states/, "Per-Request Options"
 */
export const buildStreamRequest = (
  prompt: Prompt,
  options: Omit<AnswerRequestOptions, "api">,
): Record<string, unknown> => ({
  ...buildAnswerRequest(prompt, { ...options, api: "completions" }),
  max_tokens: options.maxTokens + 1,
  stop: [],
  stop_token_ids: [],
  ignore_eos: true,
  stream: true,
  kv_transfer_params: { include_output_tokens: true },
});

/** One answer as a server gives it. */
export interface ServedAnswer {
  /** [P] of the prompt that the server has read; null if it does not say. */
  readonly promptIds: readonly number[] | null;
  /** [T] */
  readonly tokenIds: readonly number[];
  /** [T] nats, at temperature 1. */
  readonly logprobs: readonly number[];
  /** [T] nats, over the most likely tokens, renormalised. */
  readonly entropies: readonly number[];
  /** [T] log-probability of the most likely token, nats. */
  readonly highest: readonly number[];
  readonly finishReason: "stop" | "length";
  /** The stop token that ended it, if the request did not name it. */
  readonly stopToken: number | null;
  /** Where the server writes the answer's hidden states; null if it does not, or if a stop string ended the answer. */
  readonly statesPath: string | null;
}

/** A token that a server has drawn. */
export interface ServedToken {
  readonly tokenId: number;
  /** Nats, at temperature 1. */
  readonly logprob: number;
  /** Nats, over the most likely tokens, renormalised. */
  readonly entropy: number;
  /** The most likely tokens, the first one first. */
  readonly top: readonly RankedToken[];
}

/**
 * Reads the answer of `/v1/completions` or `/v1/chat/completions`.
 * @param source the server's address, for errors
 * @throws SepError `no-logprobs` if it has no log-probabilities or token ids; `server-refused` if it is not a completion
 */
export function readAnswer(answer: Body, source: string): ServedAnswer {
  const body = parse(answer, source);
  const choice = body.choices?.[0];
  if (choice === undefined) throw notAnAnswer(source, answer);
  const { steps, tokenIds } = readTokens(choice, source);
  if (tokenIds.length === 0) throw refuseCounts(source, 0, steps.length);
  const { finish_reason: reason, stop_reason: stop } = choice;
  const path = body.kv_transfer_params?.hidden_states_path;
  if (reason !== "stop" && reason !== "length") {
    throw new SepError(
      "server-refused",
      `${source} ended an answer with finish_reason ${JSON.stringify(answer.redactor.message(String(reason)))}, expected stop or length. See its log; was a tool parser switched on?`,
    );
  }
  return {
    promptIds: body.prompt_token_ids ?? choice.prompt_token_ids ?? null,
    tokenIds,
    logprobs: steps.map(({ logprob }) => Math.min(0, logprob)),
    entropies: steps.map(({ top }) => entropyOfTop(logprobsOf(top))),
    highest: steps.map(({ top }) => top[0]?.logprob ?? -Infinity),
    finishReason: reason,
    stopToken: typeof stop === "number" ? stop : null,
    statesPath: typeof path === "string" ? answer.redactor.known(path) : null, // errors name it
  };
}

/**
 * Reads one event of a streamed `/v1/completions`.
 * @returns its tokens, if it has any
 * @throws SepError as `readAnswer`
 */
export function readChunk(chunk: Body, source: string): readonly ServedToken[] {
  const { choices, error } = parse(chunk, source);
  if (choices === undefined || error !== undefined) throw notAnAnswer(source, chunk);
  const [choice] = choices;
  // usage, or the end of a stream without a token of its own
  if (choice === undefined || (choice.token_ids?.length ?? 0) + (choice.logprobs?.tokens?.length ?? 0) === 0)
    return [];
  const { steps, tokenIds } = readTokens(choice, source);
  return steps.map(({ logprob, top }, i) => ({
    tokenId: tokenIds[i] as number,
    logprob: Math.min(0, logprob),
    entropy: entropyOfTop(logprobsOf(top)),
    top: top.map(({ token, logprob }) => ({ tokenId: idOf(token, source), logprob })),
  }));
}

/** @throws SepError `no-logprobs` if there are not as many of both */
function readTokens(
  choice: Choice,
  source: string,
): { readonly steps: readonly Step[]; readonly tokenIds: readonly number[] } {
  const steps = readSteps(choice, source);
  const tokenIds = choice.token_ids ?? steps.map(({ token }) => idOf(token, source));
  if (steps.length !== tokenIds.length) throw refuseCounts(source, tokenIds.length, steps.length);
  return { steps, tokenIds };
}

const refuseCounts = (source: string, tokens: number, logprobs: number): SepError =>
  new SepError(
    "no-logprobs",
    `${source} gave ${tokens} tokens and log-probabilities of ${logprobs}, expected as many, and at least 1. Is its version of vLLM 0.10.2 or newer?`,
  );

/**
 * Entropy over the most likely tokens alone, their probabilities scaled to sum to 1.
 * @param logprobs nats, highest first
 * @returns nats, in [0, ln 20]; at most what the whole vocabulary has, as far as the tail adds to it
 */
export function entropyOfTop(logprobs: readonly number[]): number {
  const highest = logprobs[0] ?? 0;
  const weights = logprobs.map((logprob) => Math.exp(logprob - highest));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  // -sum p ln p = ln Z - sum p (l - highest), and a weight of 0 adds nothing
  const mean = weights.reduce(
    (sum, weight, i) => sum + (weight > 0 ? weight * (logprobs[i]! - highest) : 0),
    0,
  );
  return Math.max(0, Math.log(total) - mean / total);
}

interface Step {
  readonly token: unknown;
  readonly logprob: number;
  /** The most likely tokens, the first one first. */
  readonly top: readonly NamedLogprob[];
}

interface NamedLogprob {
  readonly token: unknown;
  readonly logprob: number;
}

interface Choice {
  readonly finish_reason?: unknown;
  readonly stop_reason?: unknown;
  readonly token_ids?: readonly number[] | null;
  readonly prompt_token_ids?: readonly number[] | null;
  readonly logprobs?: {
    readonly tokens?: readonly unknown[];
    readonly token_logprobs?: readonly (number | null)[];
    readonly top_logprobs?: readonly (Readonly<Record<string, number>> | null)[];
    readonly content?: readonly {
      readonly token: unknown;
      readonly logprob: number;
      readonly top_logprobs?: readonly NamedLogprob[];
    }[];
  } | null;
}

type Body = Pick<Answered, "text" | "redactor">;

interface Completion {
  readonly choices?: readonly Choice[];
  readonly prompt_token_ids?: readonly number[] | null;
  readonly kv_transfer_params?: { readonly hidden_states_path?: unknown } | null;
  readonly error?: unknown;
}

function parse(answer: Body, source: string): Completion {
  try {
    return parseBody(answer) as Completion;
  } catch (cause) {
    throw notAnAnswer(source, answer, cause);
  }
}

function readSteps({ logprobs }: Choice, source: string): readonly Step[] {
  if (logprobs?.content != null) {
    return logprobs.content.map(({ token, logprob, top_logprobs = [] }) => ({
      token,
      logprob,
      top: mostLikely(top_logprobs),
    }));
  }
  const { tokens, token_logprobs: chosen, top_logprobs: top } = logprobs ?? {};
  if (tokens == null || chosen == null || top == null) {
    throw new SepError(
      "no-logprobs",
      `${source} returns no log-probabilities, from which entropies are computed. Use vLLM or another server with logprobs and top_logprobs of ${TOP_LOGPROBS} tokens.`,
    );
  }
  return chosen.map((logprob, i) => ({
    token: tokens[i],
    logprob: logprob ?? -Infinity,
    top: mostLikely(Object.entries(top[i] ?? {}).map(([token, logprob]) => ({ token, logprob }))),
  }));
}

/** If the sampled token is not among the most likely ones, a server adds it to the list; it is removed here. */
const mostLikely = (top: readonly NamedLogprob[]): readonly NamedLogprob[] =>
  top.toSorted((a, b) => b.logprob - a.logprob).slice(0, TOP_LOGPROBS);

const logprobsOf = (top: readonly NamedLogprob[]): number[] => top.map(({ logprob }) => logprob);

function idOf(token: unknown, source: string): number {
  const id = typeof token === "string" ? /^token_id:(\d+)$/.exec(token)?.[1] : undefined;
  if (id !== undefined) return Number(id);
  throw new SepError(
    "no-logprobs",
    `${source} returns no token ids, which are needed to decode and trace answers. Use vLLM 0.10.2 or newer.`,
  );
}

const notAnAnswer = (source: string, answer: Body, cause?: unknown): SepError =>
  new SepError(
    "server-refused",
    `${source} did not answer with a completion: ${quoteAnswer(answer)}. Is it the address of an OpenAI-compatible API?`,
    { cause },
  );
