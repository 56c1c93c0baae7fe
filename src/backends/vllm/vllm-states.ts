import type { ModelProfile } from "../../checkpoint/load-model-profile.ts";
import { SepError } from "../../errors.ts";
import { explainServerRefusal, quoteAnswer } from "../../net/describe-outcome.ts";
import { allOrNone } from "../../net/map-concurrently.ts";
import { parseBody } from "../../net/send-once.ts";
import type { ServerPool } from "../../net/server-pool.ts";
import type { StateBackend } from "../../states/state-backend.ts";
import type { ServedModel } from "./served-model.ts";
import { describeVllmModel, gatherStates, planSequences, type Sequence } from "./state-sequences.ts";
import type { ExpectedFile } from "./states-file.ts";
import { createStatesInbox, type StatesInbox } from "./states-inbox.ts";

interface VllmStatesOptions {
  readonly model: ModelProfile;
  /** The servers; whoever made the pool must dispose of it. */
  readonly pool: ServerPool;
  readonly served: ServedModel;
  /** The layers that the servers were started to extract, ascending. */
  readonly layers: readonly number[];
  /** Questions sent to each server in parallel. */
  readonly concurrency?: number | undefined;
  /** How long after an answer its file may be written. */
  readonly waitMs?: number | undefined;
}

/** Every answer is one sequence through the whole model, and a file of megabytes. */
const DEFAULT_CONCURRENCY = 8;

/**
 * Hidden states from vLLM's `extract_hidden_states`, which writes those of every token of a prompt into a file. Prompt and
 * answer are sent as one prompt.
 * @see https://docs.vllm.ai/en/latest/features/speculative_decoding/extract_hidden_states/
 */
export function createVllmStates({
  model,
  pool,
  served,
  layers: extracted,
  concurrency = DEFAULT_CONCURRENCY,
  waitMs,
}: VllmStatesOptions): StateBackend {
  return {
    ...describeVllmStates(model, extracted),
    async *openReader() {
      const inbox = createStatesInbox({ waitMs });
      const { hiddenSize } = model.config;
      const shape = { layerCount: extracted.length, hiddenSize };
      return {
        concurrency: concurrency * pool.servers.length,
        async read(promptIds, answers, { layers, signal }) {
          signal?.throwIfAborted();
          const sequences = planSequences(promptIds, answers);
          const states = await allOrNone(sequences, signal, (sequence, stop) =>
            readSequence(sequence, { pool, served, inbox, shape, signal: stop }),
          );
          const select = selectLayers(extracted, layers, hiddenSize);
          return gatherStates(
            answers,
            states.map((ofSequence) => ofSequence.map(select)),
            layers.length,
          );
        },
        [Symbol.asyncDispose]: () => inbox[Symbol.asyncDispose](),
      };
    },
  };
}

/** The properties of such a backend that are known without a server. */
export function describeVllmStates(
  model: ModelProfile,
  extracted: readonly number[],
): Pick<StateBackend, "name" | "model" | "identity" | "metadata" | "normState" | "layers"> {
  return { ...describeVllmModel(model, "extract_hidden_states"), normState: "residual", layers: extracted };
}

interface ReadOptions {
  readonly pool: ServerPool;
  readonly served: ServedModel;
  readonly inbox: StatesInbox;
  readonly shape: Pick<ExpectedFile, "layerCount" | "hiddenSize">;
  readonly signal: AbortSignal;
}

/** @returns per index: [extracted layers, D] */
async function readSequence(
  { tokenIds, indices }: Sequence,
  { pool, served, inbox, shape, signal }: ReadOptions,
): Promise<readonly Float32Array[]> {
  requireRoom(tokenIds.length, served);
  return tryFiles(signal, async () => {
    const name = inbox.nextName();
    await inbox.announce(name, await requestStates(pool, served.name, tokenIds, name, signal));
    return inbox.take(name, indices, { tokenIds, ...shape }, signal);
  });
}

/** A file that is bad once may be complete the next time. */
const TRIES = 4;

/**
 * Asks again where a file of hidden states is bad.
 * @param ask sends the request under a new name, and takes its file
 */
export async function tryFiles<Result>(
  signal: AbortSignal | undefined,
  ask: () => Promise<Result>,
): Promise<Result> {
  for (let failures = 1; ; failures++) {
    try {
      return await ask();
    } catch (error) {
      const isBad = error instanceof SepError && error.code === "bad-states";
      if (!isBad || failures >= TRIES || signal?.aborted) throw error;
    }
  }
}

/** @returns the path that the server names */
export async function requestStates(
  pool: ServerPool,
  model: string,
  tokenIds: readonly number[],
  name: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  const body = {
    model,
    prompt: tokenIds,
    max_tokens: 1,
    temperature: 0,
    return_token_ids: true,
    request_id: name,
  };
  const answer = await pool.post("/completions", body, {
    key: tokenIds.join(),
    headers: { "x-request-id": name },
    signal,
  });
  if (answer.status >= 400) throw explainServerRefusal("A server", answer);
  let path: unknown;
  try {
    const { kv_transfer_params: params } = parseBody(answer) as {
      readonly kv_transfer_params?: { readonly hidden_states_path?: unknown } | null;
    };
    path = params?.hidden_states_path;
  } catch (cause) {
    const said = quoteAnswer(answer);
    throw new SepError("server-refused", `A server did not answer with JSON: ${said}.`, {
      cause,
    });
  }
  if (typeof path === "string") return answer.redactor.known(path); // errors name it
  throw extractsNothing();
}

export const extractsNothing = (): SepError =>
  new SepError(
    "bad-states",
    "The server answered without kv_transfer_params.hidden_states_path: it does not extract hidden states. Start it with the command that `sep vllm-command` prints; vLLM 0.18 or newer.",
  );

/** vLLM takes a prompt only if there is room for one token after it. */
function requireRoom(length: number, { maxModelLength }: ServedModel): void {
  if (maxModelLength === null || length < maxModelLength) return;
  throw new SepError(
    "prompt-too-long",
    `A prompt and its answer have ${length} tokens, but the server takes at most ${maxModelLength - 1} and one more. Start it with a larger --max-model-len.`,
  );
}

/**
 * Some of the layers of a state.
 * @param extracted those that it has
 * @param wanted    [L] some of these
 * @param width     D
 * @returns of [extracted layers, D]: [L * D]
 * @throws RangeError for a layer that it has not
 */
export function selectLayers(
  extracted: readonly number[],
  wanted: readonly number[],
  width: number,
): (all: Float32Array) => Float32Array {
  const places = wanted.map((layer) => extracted.indexOf(layer));
  if (places.includes(-1))
    throw new RangeError(`layers ${wanted} are not all among those extracted, ${extracted}`);
  return (all) => {
    const chosen = new Float32Array(places.length * width);
    for (const [i, place] of places.entries())
      chosen.set(all.subarray(place * width, (place + 1) * width), i * width);
    return chosen;
  };
}
