import type { ModelProfile } from "../../checkpoint/load-model-profile.ts";
import { cutAnswer } from "../../engine/generate/answer-end.ts";
import type { SampleAnswersOptions, SampledAnswer } from "../../engine/generate/generate.ts";
import type { SamplerSettings } from "../../engine/generate/sampler-settings.ts";
import type { Prompt } from "../../engine/tokenizer/build-prompt.ts";
import { SepError } from "../../errors.ts";
import { createRng } from "../../math/rng.ts";
import { explainServerRefusal } from "../../net/describe-outcome.ts";
import { allOrNone } from "../../net/map-concurrently.ts";
import type { ServerPool } from "../../net/server-pool.ts";
import type { AnswerBackend } from "../../samples/answer-backend.ts";
import { formatNumber } from "../../text/format-numbers.ts";
import {
  type AnswerApi,
  type AnswerRequestOptions,
  answerPath,
  buildAnswerRequest,
  readAnswer,
  type ServedAnswer,
} from "./answer-protocol.ts";
import { checkTokenizer, type ServedModel } from "./served-model.ts";

interface VllmAnswersOptions {
  readonly model: ModelProfile;
  /** The servers; whoever made the pool must dispose of it. */
  readonly pool: ServerPool;
  /** How the servers call the model. */
  readonly served: ServedModel;
  readonly api?: AnswerApi | undefined;
  /** Questions sent to each server in parallel. */
  readonly concurrency?: number | undefined;
}

/** vLLM runs 256 sequences at a time by default; with ten answers per question, this fills it. */
export const DEFAULT_CONCURRENCY = 32;

/**
 * Answers from vLLM, or another server with the same API that gives log-probabilities and token ids. An answer's seed is
 * made of the study's, the question's key and its run id, so that an answer does not depend on what is sampled with it, as
 * far as the server's numbers do not depend on what else is in the batch.
 */
export function createVllmAnswers({
  model,
  pool,
  served,
  api = "completions",
  concurrency = DEFAULT_CONCURRENCY,
}: VllmAnswersOptions): AnswerBackend {
  // one less: to be traced, prompt and answer are sent as a prompt, which needs room for a token after it
  const room = (served.maxModelLength ?? model.config.maxPositions) - 1;
  const drawOne = async (
    prompt: Prompt,
    runId: number,
    { sampler, seed, streamKey, signal }: SampleAnswersOptions,
  ): Promise<SampledAnswer> => {
    const sampleSeed = sampleSeedOf(seed, streamKey, runId);
    const answer = await request(pool, prompt, {
      model: served.name,
      api,
      sampler,
      sampleSeed,
      maxTokens: Math.min(sampler.maxNewTokens, room - prompt.tokenIds.length),
      endTokenIds: model.endTokenIds,
      key: streamKey,
      signal,
    });
    return { runId, ...describe(answer, model, sampler), sampleSeed };
  };
  return {
    ...describeVllmAnswers(model, api),
    async *openSampler(prompts, { signal } = {}) {
      // those that are too long are refused one by one
      const first = prompts.find(({ tokenIds }) => tokenIds.length < room);
      if (first !== undefined) await checkServers(first, { pool, model, served, api, signal });
      return {
        concurrency: concurrency * pool.servers.length,
        async draw(prompt, options) {
          options.signal?.throwIfAborted();
          requireRoom(prompt, room);
          if (api === "chat") requireChat(prompt);
          return allOrNone(options.runIds, options.signal, (runId, signal) =>
            drawOne(prompt, runId, { ...options, signal }),
          );
        },
        [Symbol.asyncDispose]: async () => undefined,
      };
    },
  };
}

/** The properties of such a backend that are known without a server. */
export function describeVllmAnswers(
  model: ModelProfile,
  api: AnswerApi = "completions",
): Pick<AnswerBackend, "name" | "model" | "identity" | "tokenEntropies"> {
  const { id, revision } = model.provenance;
  return {
    name: "vllm",
    model,
    identity: {
      backend: "vllm",
      model: id,
      revision,
      tokenizer_sha256: model.tokenizer.sha256,
      api,
      token_entropies_over: "top-20",
    },
    tokenEntropies: "top-20",
  };
}

/** The seed that one answer is drawn with; 31 bits, which every server takes. */
export const sampleSeedOf = (seed: number, streamKey: string, runId: number): number =>
  createRng("server-sample", seed, streamKey, runId).integer(2 ** 31);

interface RequestOptions extends AnswerRequestOptions {
  readonly key: string;
  readonly signal: AbortSignal | undefined;
}

async function request(
  pool: ServerPool,
  prompt: Prompt,
  { key, signal, ...options }: RequestOptions,
): Promise<ServedAnswer> {
  const path = answerPath(options.api);
  const answer = await pool.post(path, buildAnswerRequest(prompt, options), { key, signal });
  const source = pool.servers.length === 1 ? (pool.servers[0]?.api as string) : "A server";
  if (answer.status >= 400) throw explainServerRefusal(source, answer);
  const read = readAnswer(answer, source);
  requireSamePrompt(read, prompt, source);
  return read;
}

/** In chat the server renders the template itself, and its template may differ. */
function requireSamePrompt({ promptIds }: ServedAnswer, { tokenIds }: Prompt, source: string): void {
  if (promptIds === null) return;
  const differs = tokenIds.findIndex((id, index) => promptIds[index] !== id);
  if (differs === -1 && promptIds.length === tokenIds.length) return;
  throw new SepError(
    "server-mismatch",
    `${source} answered a prompt of ${promptIds.length} tokens, expected the ${tokenIds.length} that --model makes of it${
      differs === -1
        ? ""
        : `, and token ${differs} is ${promptIds[differs]} there and ${tokenIds[differs]} here`
    }. Its chat template differs: use --vllm-api completions, which sends token ids.`,
  );
}

/** The server's own text is not read: its token ids include everything sampled, also the tokens of a stop string. */
function describe(
  { tokenIds, logprobs, entropies, finishReason, stopToken }: ServedAnswer,
  { tokenizer: { decode }, endTokenIds }: ModelProfile,
  { stopTokenIds, stopStrings }: SamplerSettings,
): Omit<SampledAnswer, "runId"> {
  const isStopped = finishReason === "stop";
  const isEndToken = (id: number): boolean =>
    isStopped && (endTokenIds.has(id) || stopTokenIds.includes(id) || stopToken === id);
  const extent = cutAnswer(tokenIds, { isEndToken, stopStrings: isStopped ? stopStrings : [], decode });
  return { tokenIds, ...extent, logprobs, entropies, finishReason };
}

function requireRoom({ tokenIds, text }: Prompt, room: number): void {
  if (tokenIds.length < room) return;
  throw new SepError(
    "prompt-too-long",
    `The prompt ${JSON.stringify(text.slice(0, 60))} has ${tokenIds.length} tokens, but the server takes ${room}, answer included. Shorten the question or the system prompt, or start the server with a larger --max-model-len.`,
  );
}

function requireChat({ chat }: Prompt): void {
  if (chat !== undefined) return;
  throw new SepError(
    "bad-option",
    "Got --vllm-api chat with a prompt format that is not a chat format. Use --prompt-format chat or reasoning, or --vllm-api completions.",
  );
}

/** Whether the servers read a prompt as this package does, and answer it with what is needed. */
async function checkServers(
  prompt: Prompt,
  {
    pool,
    model,
    served: { name },
    api,
    signal,
  }: Pick<VllmAnswersOptions, "pool" | "model" | "served"> & {
    readonly api: AnswerApi;
    readonly signal: AbortSignal | undefined;
  },
): Promise<void> {
  if (api === "chat") requireChat(prompt);
  const plain = model.tokenizer.encode(prompt.text, { specialTokens: false });
  await checkTokenizer(pool, name, prompt.text, plain, signal);
  await checkLogprobs(pool, prompt, { model: name, api, endTokenIds: model.endTokenIds, signal });
}

/** Samples one token twice, since the sampler's settings must not change the log-probabilities. */
async function checkLogprobs(
  pool: ServerPool,
  prompt: Prompt,
  options: Pick<RequestOptions, "model" | "api" | "endTokenIds" | "signal">,
): Promise<void> {
  const ask = (temperature: number, topP: number): Promise<ServedAnswer> =>
    request(pool, prompt, {
      ...options,
      sampler: { ...PLAIN_SAMPLER, temperature, topP },
      sampleSeed: 1,
      maxTokens: 1,
      key: "check",
    });
  const [plain, shaped] = [await ask(1, 1), await ask(0.5, 0.5)];
  if (plain.extractsStates) {
    throw new SepError(
      "server-mismatch",
      "The server extracts hidden states and would leave a file behind for every answer. Sample answers from a server without extract_hidden_states, and use this one for `sep trace`, or for `sep run` as --vllm-states-url.",
    );
  }
  const [got, wanted] = [shaped.highest[0] as number, plain.highest[0] as number];
  if (Math.abs(got - wanted) < RAW_TOLERANCE) return;
  throw new SepError(
    "no-logprobs",
    `The server's log-probabilities change with the temperature: ${formatNumber(got)} at 0.5 and ${formatNumber(wanted)} at 1 for the likeliest token. Start it with --logprobs-mode raw_logprobs; otherwise entropies would measure the sampler.`,
  );
}

const PLAIN_SAMPLER: SamplerSettings = {
  temperature: 1,
  topP: 1,
  topK: 0,
  minP: 0,
  repetitionPenalty: 1,
  maxNewTokens: 1,
  stopStrings: [],
  stopTokenIds: [],
};

/** Half precision in another batch changes a log-probability by a few hundredths. */
const RAW_TOLERANCE = 0.1;
