import { ANSWER_APIS, type AnswerApi } from "../backends/vllm/answer-request.ts";
import { STATE_ROUTES, type StateRoute, type VllmChoice } from "../backends/vllm/vllm-choice.ts";
import { MODEL_DTYPES, type ModelDtype } from "../engine/language-model.ts";
import { SepError } from "../errors.ts";
import type { StepEvent } from "../study/step.ts";
import type { StepName } from "../study/workspace.ts";
import { choice, flag, number, type OptionSpec, type OptionValues, text } from "./option-spec.ts";

const BACKENDS = ["local", "hf", "vllm"] as const;
/** What vLLM calls its arithmetic. */
const VLLM_DTYPES = ["auto", "bfloat16", "float16", "half", "float32"] as const;
type Dtype = ModelDtype | (typeof VLLM_DTYPES)[number];

/** Where the model runs, and in which arithmetic: beside the model options of a step that has a choice. */
export const BACKEND_OPTIONS: {
  readonly backend: OptionSpec<(typeof BACKENDS)[number]>;
  readonly dtype: OptionSpec<Dtype | undefined>;
} = {
  backend: choice(
    BACKENDS,
    "local",
    "Engine: local (hf is another name of it), or vLLM; docs/backends.md.",
    "nnsight reads hidden states only",
  ),
  dtype: {
    ...choice(
      [...new Set([...MODEL_DTYPES, ...VLLM_DTYPES])],
      "float32",
      "Arithmetic of the model. Local: float32, int8 (draws answers fastest) or int4 (least memory), and the others mean float32; `sep run` reads hidden states in float32 always. vLLM: auto, bfloat16, float16, half or float32.",
    ),
    initial: undefined,
    defaultText: "float32; vllm: auto",
  },
};

/** How a vLLM server is started, where this program starts one. */
export const SERVE_OPTIONS: {
  readonly "gpu-mem-utilization": OptionSpec<number | undefined>;
  readonly "max-num-seqs": OptionSpec<number | undefined>;
  readonly "tensor-parallel": OptionSpec<number | undefined>;
  readonly "enforce-eager": OptionSpec<boolean>;
  readonly "max-model-len": OptionSpec<number | undefined>;
} = {
  "gpu-mem-utilization": number(
    { above: 0, max: 1 },
    undefined,
    "Of a vLLM that is started here: share of the GPU's memory.",
  ),
  "max-num-seqs": number({ integer: true, min: 1 }, undefined, "The same: sequences under way at a time."),
  "tensor-parallel": number({ integer: true, min: 1 }, undefined, "The same: GPUs that share the model."),
  "enforce-eager": flag("The same: without CUDA graphs, which saves memory."),
  "max-model-len": number(
    { integer: true, min: 2 },
    undefined,
    "The same: tokens of prompt and answer together.",
  ),
};

/** Which vLLM servers, and how they are asked. */
export const VLLM_OPTIONS: {
  readonly launch: OptionSpec<boolean>;
  readonly "vllm-url": OptionSpec<string | undefined>;
  readonly "vllm-model": OptionSpec<string | undefined>;
  readonly "vllm-concurrency": OptionSpec<number | undefined>;
  readonly "vllm-timeout": OptionSpec<number | undefined>;
} = {
  launch: flag(
    "Of --backend vllm: start vllm serve here and end it afterwards; so it is without --vllm-url.",
  ),
  "vllm-url": text(
    "URL,URL",
    undefined,
    "Servers with vLLM's API; a key in VLLM_API_KEY.",
    "starts vllm serve here and ends it afterwards",
  ),
  "vllm-model": text("NAME", undefined, "How the servers call the model.", "as --model"),
  "vllm-concurrency": number(
    { integer: true, min: 1 },
    undefined,
    "Questions under way at a time at each server.",
    "32; for hidden states 8",
  ),
  "vllm-timeout": number({ above: 0 }, undefined, "Seconds that one request may take.", "1800"),
};

/** How answers are asked for. */
export const VLLM_ANSWER_OPTIONS: { readonly "vllm-api": OptionSpec<AnswerApi> } = {
  "vllm-api": choice(
    ANSWER_APIS,
    "completions",
    "Send prompts as token ids, or as messages that the server renders itself.",
  ),
};

/** How hidden states come out. */
export const VLLM_STATE_OPTIONS: { readonly "vllm-states": OptionSpec<StateRoute> } = {
  "vllm-states": choice(
    STATE_ROUTES,
    "extract",
    "extract: the residual stream of --layers, which the server was started with; pooling: the last layer after the final norm.",
  ),
};

type VllmValues = OptionValues<
  Pick<typeof BACKEND_OPTIONS, "dtype"> & typeof SERVE_OPTIONS & typeof VLLM_OPTIONS
> & {
  readonly backend: string;
  readonly "vllm-api"?: AnswerApi;
  readonly "vllm-states"?: StateRoute;
  readonly "vllm-states-url"?: string | undefined;
};

/**
 * The servers that the options ask for; null for the local engine.
 * @throws SepError `bad-option` for an arithmetic that vLLM does not have, or a server to start beside ones that run
 */
export function readVllmChoice(values: VllmValues): VllmChoice | null {
  const { launch, "vllm-url": urls } = values;
  if (launch && (values.backend !== "vllm" || urls !== undefined))
    throw new SepError(
      "bad-option",
      `Got --launch with ${urls === undefined ? `--backend ${values.backend}` : `--vllm-url ${urls}`}, expected --backend vllm and no server's address: it starts one.`,
    );
  if (values.backend !== "vllm") return null;
  const { dtype, "vllm-timeout": seconds } = values;
  const known = VLLM_DTYPES.find((name) => name === dtype);
  if (dtype !== undefined && known === undefined)
    throw new SepError("bad-option", `Got --dtype ${dtype} with vLLM, expected ${VLLM_DTYPES.join(", ")}.`);
  return {
    urls,
    statesUrls: values["vllm-states-url"],
    servedName: values["vllm-model"],
    api: values["vllm-api"],
    stateRoute: values["vllm-states"],
    concurrency: values["vllm-concurrency"],
    limitMs: seconds === undefined ? undefined : seconds * 1_000,
    serve: readServeOptions(values),
  };
}

/** How a server is to be started. */
export function readServeOptions(
  values: OptionValues<typeof SERVE_OPTIONS> & { readonly dtype?: string | undefined },
): NonNullable<VllmChoice["serve"]> {
  return {
    gpuMemoryUtilization: values["gpu-mem-utilization"],
    maxNumSeqs: values["max-num-seqs"],
    tensorParallel: values["tensor-parallel"],
    enforceEager: values["enforce-eager"],
    dtype: values.dtype,
    maxModelLength: values["max-model-len"],
  };
}

/** The arithmetic of the local engine, which computes checkpoints of half precision in float32; see `noteDtype`. */
export const readLocalDtype = (dtype: Dtype | undefined): ModelDtype =>
  MODEL_DTYPES.find((name) => name === dtype) ?? "float32";

/** Says what an arithmetic that the local engine does not have means there, and then does some steps. */
export async function* noteDtype<Result>(
  step: StepName,
  { backend, dtype }: { readonly backend: string; readonly dtype: Dtype | undefined },
  steps: AsyncGenerator<StepEvent, Result>,
): AsyncGenerator<StepEvent, Result> {
  const isLocal = backend === "local" || backend === "hf";
  if (isLocal && dtype !== undefined && dtype !== readLocalDtype(dtype)) {
    const message = `--dtype ${dtype} is float32 here: weights load as the checkpoint has them, in half precision too, and are computed in float32. int8 and int4 take less memory; docs/dtype.md`;
    yield { kind: "note", step, part: "", message };
  }
  return yield* steps;
}
