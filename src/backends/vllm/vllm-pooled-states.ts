import type { ModelProfile } from "../../checkpoint/load-model-profile.ts";
import { SepError } from "../../errors.ts";
import { explainServerRefusal, quoteAnswer } from "../../net/describe-outcome.ts";
import { allOrNone } from "../../net/map-concurrently.ts";
import { type Answered, parseBody } from "../../net/send-once.ts";
import type { ServerPool } from "../../net/server-pool.ts";
import type { StateBackend } from "../../states/state-backend.ts";
import type { ServedModel } from "./served-model.ts";
import { describeVllmModel, gatherStates, planSequences, type Sequence } from "./state-sequences.ts";

interface VllmPooledStatesOptions {
  readonly model: ModelProfile;
  readonly pool: ServerPool;
  readonly served: ServedModel;
  readonly concurrency?: number | undefined;
}

const DEFAULT_CONCURRENCY = 8;

/**
 * The last layer alone, after the final norm, from a vLLM server that was started with `sep vllm-command --purpose pooling`:
 * for versions and models that cannot extract hidden states. It is not the residual stream, and is labelled so.
 * @see https://docs.vllm.ai/en/stable/models/pooling_models/, "Pooling API"
 */
export function createVllmPooledStates({
  model,
  pool,
  served,
  concurrency = DEFAULT_CONCURRENCY,
}: VllmPooledStatesOptions): StateBackend {
  const { hiddenSize } = model.config;
  return {
    ...describeVllmPooledStates(model),
    async *openReader() {
      return {
        concurrency: concurrency * pool.servers.length,
        async read(promptIds, answers, { signal }) {
          signal?.throwIfAborted();
          const states = await allOrNone(planSequences(promptIds, answers), signal, (sequence, stop) =>
            poolSequence(sequence, hiddenSize, { pool, served, signal: stop }),
          );
          return gatherStates(answers, states, 1);
        },
        [Symbol.asyncDispose]: async () => undefined,
      };
    },
  };
}

/** The properties of such a backend that are known without a server. */
export function describeVllmPooledStates(
  model: ModelProfile,
): Pick<StateBackend, "name" | "model" | "identity" | "metadata" | "normState" | "layers"> {
  return {
    ...describeVllmModel(model, "pooling"),
    normState: "final-norm",
    layers: [model.config.blockCount],
  };
}

interface PoolOptions {
  readonly pool: ServerPool;
  readonly served: ServedModel;
  readonly signal: AbortSignal;
}

/** @returns per index: [D] */
async function poolSequence(
  { tokenIds, indices }: Sequence,
  hiddenSize: number,
  { pool, served, signal }: PoolOptions,
): Promise<readonly Float32Array[]> {
  const body = {
    model: served.name,
    input: tokenIds,
    task: "token_embed",
    use_activation: false,
    add_special_tokens: false,
    encoding_format: "base64",
  };
  const answer = await pool.post("/pooling", body, { at: "root", key: tokenIds.join(), signal });
  if (answer.status >= 400) throw explainServerRefusal("A server", answer);
  const flat = readVectors(answer);
  if (flat.length !== tokenIds.length * hiddenSize) {
    throw new SepError(
      "bad-states",
      `The server gave ${flat.length} numbers for ${tokenIds.length} tokens, expected ${tokenIds.length * hiddenSize}, ${hiddenSize} per token. Start it with the command that sep vllm-command --purpose pooling prints.`,
    );
  }
  return indices.map((index) => {
    const vector = flat.slice(index * hiddenSize, (index + 1) * hiddenSize);
    if (vector.every(Number.isFinite) && vector.some((value) => value !== 0)) return vector;
    throw new SepError(
      "bad-states",
      `The server returned a state for token ${index} that is all zero or not finite. Check its weights and its version.`,
    );
  });
}

/** float32 in base64, or, from versions that do not know that, lists of numbers. */
function readVectors(answer: Answered): Float32Array {
  let data: unknown;
  try {
    data = (parseBody(answer) as { readonly data?: readonly { readonly data?: unknown }[] }).data?.[0]?.data;
  } catch {
    data = undefined; // told below
  }
  if (typeof data === "string") {
    const bytes = Buffer.from(data, "base64");
    return new Float32Array(Uint8Array.from(bytes).buffer, 0, Math.floor(bytes.length / 4));
  }
  if (Array.isArray(data)) return Float32Array.from(data.flat() as number[]);
  throw new SepError(
    "server-refused",
    `A server answered /pooling with ${quoteAnswer(answer)}, expected data[0].data.`,
  );
}
