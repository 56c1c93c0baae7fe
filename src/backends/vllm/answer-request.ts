import type { SamplerSettings } from "../../engine/generate/sampler-settings.ts";
import type { Prompt } from "../../engine/tokenizer/build-prompt.ts";

/** Which of a server's two ways to ask: by the prompt's token ids, or by messages that it renders itself. */
export const ANSWER_APIS = ["completions", "chat"] as const;
export type AnswerApi = (typeof ANSWER_APIS)[number];

/** As many as vLLM gives without being asked to allow more (`--max-logprobs`). */
export const TOP_LOGPROBS = 20;

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
}

/** Where a request goes, under the address of the API. */
export const answerPath = (api: AnswerApi): string => (api === "chat" ? "/chat/completions" : "/completions");

/**
 * The body of a request for one answer. Every setting of the sampler is said, since a server has defaults of its own
 * from the model's generation_config.json. One answer a request, although `n` would give several: not every server
 * gives each of the n a random stream of its own, and a request that fails then loses one answer and not K.
 * @see https://docs.vllm.ai/en/stable/serving/openai_compatible_server.html
 */
export function buildAnswerRequest(prompt: Prompt, options: AnswerRequestOptions): Record<string, unknown> {
  const { model, api, sampler, sampleSeed, maxTokens, endTokenIds } = options;
  const shared = {
    model,
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
