import { z } from "zod";
import type { ChatMessage } from "../engine/tokenizer/chat-template.ts";
import { ApiError } from "./api-error.ts";

// The bodies of OpenAI's completions APIs. Unknown fields are ignored, as OpenAI's clients of tomorrow send more of them;
// known fields that would change the answer, and that this server does not have, are refused by name.

/** What a request may say about its risk, in the field `sep`. */
const SEP_REQUEST = z
  .object({
    /** One of the server's probes, by its name in /v1/probes. */
    probe: z.string().min(1).optional(),
    decide: z.enum(["risk", "coverage"]).optional(),
    /** Whether to give the risk at every token; by default where the answer is streamed. */
    tokens: z.boolean().optional(),
    /** Whether to say the risk at the end of every sentence. */
    spans: z.boolean().optional(),
    /** Draws so many more answers, and says the semantic entropy of all of them. */
    samples: z.int().min(2).max(32).optional(),
    /** What the answer says when it is withheld. */
    abstain_text: z.string().max(10_000).optional(),
  })
  .strict();
export type SepRequest = z.output<typeof SEP_REQUEST>;

const STOP = z.union([
  z
    .string()
    .min(1)
    .transform((text) => [text]),
  z.array(z.string().min(1)).max(16),
]);

/** How answers are sampled: OpenAI's fields, and those that other servers of its API add. */
const SAMPLING = {
  model: z.string().optional(),
  n: z.int().min(1).max(64).nullish(),
  seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER).nullish(),
  stop: STOP.nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().nullish() }).nullish(),
  temperature: z.number().min(0).max(100).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  top_k: z.int().min(0).nullish(),
  min_p: z.number().min(0).lt(1).nullish(),
  repetition_penalty: z.number().gt(0).nullish(),
  max_tokens: z.int().min(1).nullish(),
  sep: SEP_REQUEST.nullish(),
};

const TEXT_PART = z.object({ type: z.literal("text", "only text parts are taken"), text: z.string() });
const CONTENT = z.union(
  [z.string(), z.array(TEXT_PART).transform((parts) => parts.map(({ text }) => text).join(""))],
  {
    error: "expected a text, or a list of text parts: this server's models take no images, audio or files",
  },
);

const CHAT_BODY = z.object({
  ...SAMPLING,
  messages: z
    .array(
      z.object({
        role: z.enum(
          ["system", "developer", "user", "assistant"],
          "expected system, developer, user or assistant: this server calls no tools",
        ),
        content: CONTENT,
      }),
    )
    .min(1)
    .max(1000),
  max_completion_tokens: z.int().min(1).nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.int().min(0).max(20).nullish(),
});

const TOKEN_IDS = z.array(z.int().min(0)).min(1);

const COMPLETION_BODY = z.object({
  ...SAMPLING,
  prompt: z.union(
    [z.string(), TOKEN_IDS],
    "expected a text or a list of token ids; send several prompts as several requests",
  ),
  logprobs: z.int().min(0).max(20).nullish(),
  echo: z.boolean().nullish(),
});

/** What is asked, whichever API asks it. */
export interface AnswerRequest {
  /** A conversation; or a prompt as it is, as text or token ids. */
  readonly asked: readonly ChatMessage[] | string | readonly number[];
  readonly n: number;
  /** null: any. */
  readonly seed: number | null;
  /** Beside those of the probe's record. */
  readonly stopStrings: readonly string[];
  /** What the request says of the sampler; the rest is the probe's. */
  readonly sampler: {
    readonly temperature?: number;
    readonly topP?: number;
    readonly topK?: number;
    readonly minP?: number;
    readonly repetitionPenalty?: number;
    readonly maxNewTokens?: number;
  };
  /** null: no log-probabilities; else how many likely tokens beside the one that was drawn. */
  readonly topLogprobs: number | null;
  readonly echo: boolean;
  readonly isStreamed: boolean;
  readonly includesUsage: boolean;
  readonly sep: SepRequest;
}

export const isConversation = (asked: AnswerRequest["asked"]): asked is readonly ChatMessage[] =>
  typeof asked !== "string" && typeof asked[0] === "object";

/** @throws ApiError, ZodError */
export function readChatBody(body: unknown): AnswerRequest {
  refuseUnsupported(body);
  const { messages, max_completion_tokens, logprobs, top_logprobs, ...rest } = CHAT_BODY.parse(body);
  if (top_logprobs && !logprobs)
    throw new ApiError(400, "top_logprobs needs logprobs: true.", { param: "top_logprobs" });
  return {
    ...readSampling({ ...rest, max_tokens: max_completion_tokens ?? rest.max_tokens }),
    asked: messages.map(({ role, content }) => ({ role: role === "developer" ? "system" : role, content })),
    topLogprobs: logprobs ? (top_logprobs ?? 0) : null,
    echo: false,
  };
}

/** @throws ApiError, ZodError */
export function readCompletionBody(body: unknown): AnswerRequest {
  refuseUnsupported(body);
  const { prompt, logprobs, echo, ...rest } = COMPLETION_BODY.parse(body);
  if (echo && logprobs != null)
    throw new ApiError(
      400,
      "echo with logprobs is not supported: log-probabilities are of the answer only. Leave one of them out.",
      {
        param: "echo",
      },
    );
  return {
    ...readSampling({ ...rest, max_tokens: rest.max_tokens ?? LEGACY_MAX_TOKENS }),
    asked: prompt,
    topLogprobs: logprobs ?? null,
    echo: echo ?? false,
  };
}

/** What OpenAI's completions API generates where the request does not say. */
const LEGACY_MAX_TOKENS = 16;

type Sampling = z.output<z.ZodObject<typeof SAMPLING>>;

function readSampling(body: Sampling): Omit<AnswerRequest, "asked" | "topLogprobs" | "echo"> {
  const { temperature, top_p, top_k, min_p, repetition_penalty, max_tokens } = body;
  const given = <Key extends string>(key: Key, value: number | null | undefined) =>
    (value == null ? {} : { [key]: value }) as { readonly [K in Key]?: number };
  return {
    n: body.n ?? 1,
    seed: body.seed ?? null,
    stopStrings: body.stop ?? [],
    sampler: {
      ...given("temperature", temperature),
      ...given("topP", top_p),
      ...given("topK", top_k),
      ...given("minP", min_p),
      ...given("repetitionPenalty", repetition_penalty),
      ...given("maxNewTokens", max_tokens),
    },
    isStreamed: body.stream ?? false,
    includesUsage: body.stream_options?.include_usage ?? false,
    sep: body.sep ?? {},
  };
}

/** Fields of OpenAI's API that change the answer, and the values with which they do not. */
const UNSUPPORTED: Readonly<Record<string, (value: unknown) => boolean>> = {
  tools: isEmpty,
  tool_choice: (value) => value === "none" || value === "auto",
  functions: isEmpty,
  function_call: (value) => value === "none" || value === "auto",
  response_format: (value) => (value as { type?: unknown }).type === "text",
  frequency_penalty: (value) => value === 0,
  presence_penalty: (value) => value === 0,
  logit_bias: isEmpty,
  audio: () => false,
  modalities: (value) => JSON.stringify(value) === '["text"]',
  prediction: () => false,
  web_search_options: () => false,
  suffix: (value) => value === "",
  best_of: (value) => value === 1,
};

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

function refuseUnsupported(body: unknown): void {
  if (typeof body !== "object" || body === null || Array.isArray(body))
    throw new ApiError(400, "The body is not a JSON object.");
  for (const [field, changesNothing] of Object.entries(UNSUPPORTED)) {
    const value = (body as Readonly<Record<string, unknown>>)[field];
    if (value != null && !changesNothing(value))
      throw new ApiError(400, `${field} is not supported by this server. Leave it out.`, {
        param: field,
        code: "unsupported_parameter",
      });
  }
}
