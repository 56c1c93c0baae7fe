/** Options of a vLLM server, under this package's names; vLLM's defaults where not given. */
export interface ServeOptions {
  /** A model of the hub, or a folder. */
  readonly model: string;
  readonly revision?: string | null | undefined;
  /** How requests call it. */
  readonly servedName?: string | undefined;
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  /** Share of the GPU's memory. */
  readonly gpuMemoryUtilization?: number | undefined;
  /** Sequences under way at a time. */
  readonly maxNumSeqs?: number | undefined;
  /** GPUs that share the model. */
  readonly tensorParallel?: number | undefined;
  /** Without CUDA graphs. */
  readonly enforceEager?: boolean | undefined;
  readonly dtype?: string | undefined;
  readonly maxModelLength?: number | undefined;
  /** What the server is for. */
  readonly purpose?: ServePurpose | undefined;
}

/** Answers; answers with hidden states of these layers, written to a folder; or the last layer after the final norm. */
export type ServePurpose =
  | { readonly kind: "answers" }
  | { readonly kind: "states"; readonly layers: readonly number[]; readonly folder: string }
  | { readonly kind: "pooling" };

/**
 * The arguments of `vllm`, from `serve` on.
 * @see https://docs.vllm.ai/en/latest/cli/serve/; vLLM 0.18 or newer for hidden states
 */
export function buildServeArguments(options: ServeOptions): readonly string[] {
  const { model, revision, servedName, purpose = { kind: "answers" } } = options;
  const valued: readonly (readonly [string, string | number | null | undefined])[] = [
    ["--revision", revision],
    ["--served-model-name", servedName],
    ["--host", options.host],
    ["--port", options.port],
    ["--gpu-memory-utilization", options.gpuMemoryUtilization],
    ["--max-num-seqs", options.maxNumSeqs],
    ["--tensor-parallel-size", options.tensorParallel],
    ["--dtype", options.dtype],
    ["--max-model-len", options.maxModelLength],
  ];
  return [
    "serve",
    model,
    ...valued.flatMap(([name, value]) => (value == null ? [] : [name, String(value)])),
    ...(options.enforceEager ? ["--enforce-eager"] : []),
    ...argumentsFor(purpose),
  ];
}

function argumentsFor(purpose: ServePurpose): readonly string[] {
  if (purpose.kind === "answers") return LOGPROBS;
  if (purpose.kind === "pooling") {
    const pooler = JSON.stringify({ task: "token_embed" }); // a vector a token, and not one for all
    return ["--runner", "pooling", "--convert", "embed", "--pooler-config", pooler, ...WHOLE_PROMPTS];
  }
  const { layers, folder } = purpose;
  const speculative = {
    method: "extract_hidden_states",
    num_speculative_tokens: 1,
    draft_model_config: { hf_config: { eagle_aux_hidden_state_layer_ids: layers } },
  };
  const transfer = {
    kv_connector: "ExampleHiddenStatesConnector",
    kv_role: "kv_producer",
    kv_connector_extra_config: { shared_storage_path: folder, use_synchronization_lock: true },
  };
  return [
    ...LOGPROBS,
    ...WHOLE_PROMPTS,
    "--speculative_config",
    JSON.stringify(speculative),
    "--kv_transfer_config",
    JSON.stringify(transfer),
  ];
}

const LOGPROBS: readonly string[] = ["--max-logprobs", "20", "--logprobs-mode", "raw_logprobs"];
/** Tokens that come from the prefix cache, or in another chunk, have no states in the file. */
const WHOLE_PROMPTS: readonly string[] = ["--no-enable-prefix-caching", "--no-enable-chunked-prefill"];

/** Words as one line for a POSIX shell. */
export const quoteForShell = (words: readonly string[]): string =>
  words.map((word) => (/^[\w./:@=,+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(" ");
