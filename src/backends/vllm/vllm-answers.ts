import type { ModelProfile } from "../../checkpoint/load-model-profile.ts";
import { cutAnswer } from "../../engine/generate/answer-end.ts";
import type { SampledAnswer } from "../../engine/generate/generate.ts";
import { locateStates, type StatesToRead } from "../../engine/generate/sample-with-states.ts";
import type { SamplerSettings } from "../../engine/generate/sampler-settings.ts";
import type { Prompt } from "../../engine/tokenizer/build-prompt.ts";
import { SepError } from "../../errors.ts";
import { createRng } from "../../math/rng.ts";
import { explainServerRefusal } from "../../net/describe-outcome.ts";
import { allOrNone } from "../../net/map-concurrently.ts";
import type { ServerPool } from "../../net/server-pool.ts";
import type { AnswerBackend, DrawnAnswer, DrawOptions } from "../../samples/answer-backend.ts";
import {
  type AnswerApi,
  type AnswerRequestOptions,
  answerPath,
  buildAnswerRequest,
  readAnswer,
  type ServedAnswer,
} from "./answer-protocol.ts";
import { type AnswerStreams, type StreamAnswerOptions, streamAnswer } from "./answer-stream.ts";
import { checkServers, requireSamePrompt } from "./check-servers.ts";
import type { ServedModel } from "./served-model.ts";
import { createStatesInbox, type StatesInbox } from "./states-inbox.ts";
import { extractsNothing, selectLayers, tryFiles } from "./vllm-states.ts";

interface VllmAnswersOptions {
  readonly model: ModelProfile;
  /** The servers; whoever made the pool must dispose of it. */
  readonly pool: ServerPool;
  /** How the servers call the model. */
  readonly served: ServedModel;
  readonly api?: AnswerApi | undefined;
  /** The layers that the servers were started to extract, ascending; none for servers that extract no states. */
  readonly layers?: readonly number[] | undefined;
  /** Questions sent to each server in parallel. */
  readonly concurrency?: number | undefined;
  /** How long after an answer the file of its hidden states may be written. */
  readonly waitMs?: number | undefined;
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
  layers = [],
  concurrency = DEFAULT_CONCURRENCY,
  waitMs,
}: VllmAnswersOptions): AnswerBackend {
  const room = roomOf(served, model);
  return {
    ...describeVllmAnswers(model, { api, layers }),
    async *openSampler(prompts, { signal } = {}) {
      const inbox = createStatesInbox({ waitMs });
      const streams: AnswerStreams = { model, pool, served, inbox, layers };
      let extracts = false;
      // those that are too long are refused one by one
      const first = prompts.find(({ tokenIds }) => tokenIds.length < room);
      try {
        if (first !== undefined) {
          if (api === "chat") requireChat(first);
          ({ extracts } = await checkServers(first, { ...streams, api, signal }));
        }
      } catch (error) {
        await inbox[Symbol.asyncDispose]();
        throw error;
      }
      const drawOne = async (prompt: Prompt, runId: number, options: DrawOptions): Promise<DrawnAnswer> => {
        const { sampler, seed, streamKey, states, signal } = options;
        const sampleSeed = sampleSeedOf(seed, streamKey, runId);
        const limit = Math.min(sampler.maxNewTokens, room - prompt.tokenIds.length);
        if (states !== undefined && !extracts) throw extractsNothing();
        if (states !== undefined)
          return drawWithStates(streams, prompt, states, {
            ...{ runId, sampler, sampleSeed, limit, signal },
            key: streamKey,
          });
        const answer = await requestAnswer(pool, prompt, {
          model: served.name,
          api,
          sampler,
          sampleSeed,
          maxTokens: limit,
          endTokenIds: model.endTokenIds,
          requestName: inbox.nextName(),
          // nobody wants the states that such a server writes all the same
          inbox: extracts ? inbox : null,
          key: streamKey,
          signal,
        });
        return { runId, ...describe(answer, model, sampler), sampleSeed };
      };
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
        [Symbol.asyncDispose]: () => inbox[Symbol.asyncDispose](),
      };
    },
  };
}

/** What a prompt and its answer may have: one less, since to be read, both are sent as a prompt, with a token after it. */
export const roomOf = ({ maxModelLength }: ServedModel, { config }: ModelProfile): number =>
  (maxModelLength ?? config.maxPositions) - 1;

/** An answer with its states at the places that it has, from one request. */
const drawWithStates = (
  streams: AnswerStreams,
  prompt: Prompt,
  wanted: StatesToRead,
  options: StreamAnswerOptions,
): Promise<DrawnAnswer> =>
  tryFiles(options.signal, async () => {
    const { answer, takeStates } = await streamAnswer(streams, prompt, options);
    const { model, layers } = streams;
    const indices = locateStates(model.tokenizer, prompt, answer, wanted);
    const select = selectLayers(layers, wanted.layers, model.config.hiddenSize);
    const states = await takeStates(indices);
    return {
      ...answer,
      states: indices.map((index, i) => ({ index, residual: select(states[i] as Float32Array) })),
    };
  });

/** The properties of such a backend that are known without a server. */
export function describeVllmAnswers(
  model: ModelProfile,
  { api = "completions", layers = [] }: Pick<VllmAnswersOptions, "api" | "layers"> = {},
): Pick<AnswerBackend, "name" | "model" | "identity" | "tokenEntropies" | "readsStates"> {
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
    readsStates: { obstacle: obstacleOf(api, layers) },
  };
}

/** Why answers come without states. */
function obstacleOf(api: AnswerApi, layers: readonly number[]): string | null {
  if (layers.length === 0) return "these vLLM servers extract no hidden states";
  return api === "chat"
    ? "an answer with hidden states is asked for by token ids, not by --vllm-api chat"
    : null;
}

/** The seed that one answer is drawn with; 31 bits, which every server takes. */
export const sampleSeedOf = (seed: number, streamKey: string, runId: number): number =>
  createRng("server-sample", seed, streamKey, runId).integer(2 ** 31);

interface RequestOptions extends AnswerRequestOptions {
  /** For the file of a server that extracts states, which is deleted unread; null for other servers. */
  readonly inbox: StatesInbox | null;
  readonly key: string;
  readonly signal: AbortSignal | undefined;
}

async function requestAnswer(
  pool: ServerPool,
  prompt: Prompt,
  { key, signal, inbox, ...options }: RequestOptions,
): Promise<ServedAnswer> {
  const path = answerPath(options.api);
  const source = pool.servers.length === 1 ? (pool.servers[0]?.api as string) : "A server";
  try {
    const answer = await pool.post(path, buildAnswerRequest(prompt, options), { key, signal });
    if (answer.status >= 400) throw explainServerRefusal(source, answer);
    const read = readAnswer(answer, source);
    if (read.statesPath !== null) await inbox?.announce(options.requestName, read.statesPath);
    requireSamePrompt(read, prompt, source);
    return read;
  } finally {
    inbox?.discard(options.requestName);
  }
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

export function requireRoom({ tokenIds, text }: Prompt, room: number): void {
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
