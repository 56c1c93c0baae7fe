import { rm } from "node:fs/promises";
import { dirname } from "node:path";
import type { ModelProfile } from "../../checkpoint/load-model-profile.ts";
import { SepError } from "../../errors.ts";
import { explainServerRefusal, quoteAnswer } from "../../net/describe-outcome.ts";
import { allOrNone } from "../../net/map-concurrently.ts";
import { parseBody } from "../../net/send-once.ts";
import type { ServerPool } from "../../net/server-pool.ts";
import type { StateBackend } from "../../states/state-backend.ts";
import type { ServedModel } from "./served-model.ts";
import { describeVllmModel, gatherStates, planSequences, type Sequence } from "./state-sequences.ts";
import { createRequestNames, type RequestNames, readStatesFile } from "./states-file.ts";

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
/** A file of gigabytes on a slow disk. */
const WAIT_MS = 30_000;
/** A file that is bad once may be complete the next time. */
const TRIES = 4;

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
  waitMs = WAIT_MS,
}: VllmStatesOptions): StateBackend {
  return {
    ...describeVllmStates(model, extracted),
    async *openReader() {
      const names = createRequestNames();
      const folders = new Set<string>();
      return {
        concurrency: concurrency * pool.servers.length,
        async read(promptIds, answers, { layers, signal }) {
          signal?.throwIfAborted();
          const sequences = planSequences(promptIds, answers);
          const states = await allOrNone(sequences, signal, (sequence, stop) =>
            readSequence(sequence, {
              pool,
              served,
              names,
              folders,
              expected: { layerCount: extracted.length, hiddenSize: model.config.hiddenSize },
              waitMs,
              signal: stop,
            }),
          );
          const places = layers.map((layer) => extracted.indexOf(layer));
          const width = model.config.hiddenSize;
          return gatherStates(
            answers,
            states.map((ofSequence) => ofSequence.map((all) => selectLayers(all, places, width))),
          );
        },
        async [Symbol.asyncDispose]() {
          for (const folder of folders) await names.sweepOwn(folder);
        },
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
  readonly names: RequestNames;
  /** Folders that the servers write to, as they become known. */
  readonly folders: Set<string>;
  readonly expected: { readonly layerCount: number; readonly hiddenSize: number };
  readonly waitMs: number;
  readonly signal: AbortSignal;
}

/** @returns per index: [extracted layers, D] */
async function readSequence(
  { tokenIds, indices }: Sequence,
  { pool, served, names, folders, expected, waitMs, signal }: ReadOptions,
): Promise<readonly Float32Array[]> {
  requireRoom(tokenIds.length, served);
  for (let failures = 1; ; failures++) {
    const name = names.next();
    const path = await requestStates(pool, served.name, tokenIds, name, signal);
    if (!names.isOf(path, name)) {
      throw new SepError(
        "bad-states",
        `The server named ${path} for its hidden states, expected a safetensors file with the request's id ${name} in its name: files that may belong to other requests are neither read nor deleted.`,
      );
    }
    const folder = dirname(path);
    if (!folders.has(folder)) {
      folders.add(folder);
      await names.sweepDead(folder);
    }
    try {
      return await readStatesFile(path, indices, { tokenIds, ...expected }, { waitMs, signal });
    } catch (error) {
      if (failures >= TRIES || !(error instanceof SepError) || signal.aborted) throw error;
    } finally {
      await rm(path, { force: true });
      await rm(`${path}.lock`, { force: true });
    }
  }
}

/** @returns the path that the server names */
async function requestStates(
  pool: ServerPool,
  model: string,
  tokenIds: readonly number[],
  name: string,
  signal: AbortSignal,
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
  throw new SepError(
    "bad-states",
    "The server answered without kv_transfer_params.hidden_states_path: it does not extract hidden states. Start it with the command that `sep vllm-command` prints; vLLM 0.18 or newer.",
  );
}

/** vLLM takes a prompt only if there is room for one token after it. */
function requireRoom(length: number, { maxModelLength }: ServedModel): void {
  if (maxModelLength === null || length < maxModelLength) return;
  throw new SepError(
    "prompt-too-long",
    `A prompt and its answer have ${length} tokens, but the server takes at most ${maxModelLength - 1} and one more. Start it with a larger --max-model-len.`,
  );
}

function selectLayers(all: Float32Array, places: readonly number[], width: number): Float32Array {
  const chosen = new Float32Array(places.length * width);
  for (const [i, place] of places.entries())
    chosen.set(all.subarray(place * width, (place + 1) * width), i * width);
  return chosen;
}
