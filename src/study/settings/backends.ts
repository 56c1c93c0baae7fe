import { z } from "zod";
import { isBackendFile } from "../../backends/load-backend.ts";
import { ANSWER_APIS } from "../../backends/vllm/answer-protocol.ts";
import { POCKET_MODEL } from "../../checkpoint/locate-checkpoint.ts";
import { DEVICE_CHOICES, MODEL_DTYPES } from "../../engine/runtime/device.ts";
import { SepError } from "../../errors.ts";
import {
  defaultOf,
  flag,
  inGroup,
  joinWithOr,
  redescribe,
  type SettingNotes,
  type Settings,
  setting,
  text,
  toFlag,
} from "./setting.ts";

/** Settings that only this server uses. */
const of = <S extends Settings>(group: "vLLM" | "nnsight", settings: S): S =>
  Object.fromEntries(
    Object.entries(settings).map(([name, schema]) => [
      name,
      redescribe(schema, { group, backends: [group.toLowerCase()] }),
    ]),
  ) as S;

/** What vLLM calls its dtypes. */
export const VLLM_DTYPES = ["auto", "bfloat16", "float16", "half", "float32"] as const;

/** Rows beyond these only take memory. */
const MOST_ROWS = 1024;

/** How the local engine runs a model. */
export const ENGINE = inGroup("Model and machine", {
  device: setting(
    z.enum(DEVICE_CHOICES).default("cpu"),
    "Device that runs the model. auto picks cuda or dml if it works, else cpu. Requirements of each device: docs/devices.md.",
    { hint: "`sep doctor` shows which work here", backends: ["local"] },
  ),
  threads: setting(z.int().min(1).optional(), "Threads of the local engine.", {
    fallback: "all that the machine or container has",
  }),
  memory: setting(
    z.number().gt(0).optional(),
    "Memory in GiB for all copies of the model and what they compute; more copies and longer batches answer more questions in parallel.",
    { fallback: "half of the memory", backends: ["local"] },
  ),
});

/** How the local engine generates; docs/batching.md. An answer depends on neither. */
export const BATCH = inGroup("Model and machine", {
  workers: setting(
    z.int().min(1).optional(),
    "Copies of the model that generate answers in parallel; docs/batching.md.",
    { fallback: "as threads and memory allow, or by a trial", backends: ["local"] },
  ),
  rows: setting(
    z.int().min(1).max(MOST_ROWS).optional(),
    "Answers that a copy of the model generates in one pass.",
    {
      fallback: "80, or by a trial",
      backends: ["local"],
    },
  ),
});

/** A backend's name, or a file with one of the user's. */
const oneOfBackends = (names: readonly string[]): z.ZodString =>
  z.string().refine((name) => names.includes(name) || isBackendFile(name));

/** Which model, and where it runs. */
export const MODEL = {
  model: setting(
    z.string().min(1).default(POCKET_MODEL),
    "A model on the Hugging Face Hub (org/name or org/name@revision), a checkpoint's folder, a GGUF file, or the embedded model; docs/models.md.",
    { placeholder: "ID|DIR|pocket" },
  ),
  backend: setting(
    oneOfBackends(["local", "hf", "vllm"]).default("local"),
    "Where the model runs: the local engine (hf is another name for it), vLLM, or your own module; docs/backends.md.",
    {
      group: "Model and machine",
      placeholder: "local|hf|vllm|FILE",
      expected: "a .js, .mjs or .ts file, or local, hf or vllm",
      hint: "nnsight reads hidden states only",
    },
  ),
  dtype: setting(
    z.enum([...new Set([...MODEL_DTYPES, ...VLLM_DTYPES])]).optional(),
    "Precision of the model while it samples. Local engine: auto (int8 if it is close enough to float32 on your prompts, else float32), float32, int8 (fastest) or int4 (least memory); bfloat16, float16 and half mean float32, and `sep run` always reads hidden states in float32; docs/dtype.md. vLLM: auto, bfloat16, float16, half or float32.",
    { group: "Model and machine", fallback: "auto", backends: ["local", "vllm", "nnsight"] },
  ),
  ...ENGINE,
};

/** How a vLLM server is started, where this program starts one. */
export const VLLM_SERVER = of("vLLM", {
  gpuMemUtilization: setting(
    z.number().gt(0).max(1).optional(),
    "Share of GPU memory for a vLLM server that `sep` starts.",
    { fallback: "vLLM's" },
  ),
  maxNumSeqs: setting(
    z.int().min(1).optional(),
    "Number of sequences that a vLLM server started by `sep` processes in parallel.",
    {
      fallback: "vLLM's",
    },
  ),
  tensorParallel: setting(
    z.int().min(1).optional(),
    "Number of GPUs that share the model in a vLLM server started by `sep`.",
    {
      fallback: "vLLM's",
    },
  ),
  enforceEager: flag("Start vLLM without CUDA graphs, to save memory."),
  maxModelLen: setting(
    z.int().min(2).optional(),
    "Most tokens of prompt and answer together, for a vLLM server started by `sep`.",
    { fallback: "vLLM's" },
  ),
});

/** Which vLLM servers, and how requests are sent. */
export const VLLM = of("vLLM", {
  launch: flag(
    "With --backend vllm, start a vLLM server here and stop it afterwards. This is the default without --vllm-url.",
  ),
  vllmUrl: text(
    "URL,URL",
    "Addresses of servers with vLLM's API; their key is read from VLLM_API_KEY.",
    "starts a vLLM server and stops it afterwards",
  ),
  vllmModel: text("NAME", "Name of the model on the servers.", "as --model"),
  vllmConcurrency: setting(
    z.int().min(1).optional(),
    "Number of questions sent to each server in parallel.",
    {
      fallback: "32, or 8 for hidden states",
    },
  ),
  vllmTimeout: setting(z.number().gt(0).optional(), "Time limit per request, in seconds.", {
    fallback: "1800",
  }),
});

/** How vLLM is asked for answers. */
export const VLLM_ANSWERS = of("vLLM", {
  vllmApi: setting(
    z.enum(ANSWER_APIS).default("completions"),
    "API for prompts: completions sends token ids, chat sends messages that the server renders with its own template.",
  ),
});

/** The model of steps that draw more answers for a study. */
export const ANSWERING_MODEL = {
  ...MODEL,
  threads: redescribe(MODEL.threads, { backends: ["local"] }),
  ...BATCH,
  ...VLLM,
  ...VLLM_ANSWERS,
  ...VLLM_SERVER,
};

/** How `sep trace` gets hidden states out of vLLM. */
export const VLLM_STATES = of("vLLM", {
  vllmStates: setting(
    z.enum(["extract", "pooling"]).default("extract"),
    "extract reads the residual stream at --layers, which must be the layers that the server was started with; pooling reads the last layer after the final norm.",
  ),
});

/** Reads hidden states in Python, which `sep trace` alone can. */
export const NNSIGHT = {
  backend: setting(
    oneOfBackends(["local", "hf", "vllm", "nnsight"]).default("local"),
    "What reads the hidden states: the local engine (hf is another name for it), vLLM, PyTorch under nnsight (with PyTorch's dtypes), or your own module; docs/backends.md.",
    {
      group: "Model and machine",
      placeholder: "local|hf|vllm|nnsight|FILE",
      expected: "a .js, .mjs or .ts file, or local, hf, vllm or nnsight",
    },
  ),
  ...of("nnsight", {
    python: text(
      "PATH",
      "Python interpreter with nnsight, for --backend nnsight.",
      "an environment made by `uv run`",
    ),
    nnsightDevice: setting(
      z.string().min(1).default("auto"),
      "Device for nnsight, by PyTorch's name (cpu, cuda, cuda:1, mps); auto picks cuda if available, else cpu.",
      { placeholder: "NAME" },
    ),
    ndif: flag("With --backend nnsight, run the model on NDIF, which has the weights; needs NDIF_API_KEY."),
  }),
};

/** Prints how to start a vLLM server. */
export const VLLM_COMMAND_SETTINGS = {
  model: MODEL.model,
  purpose: setting(
    z.enum(["states", "answers", "pooling"]).default("states"),
    "What the server is for: states (all commands), answers (`sep generate` without states, which is faster), or pooling (`sep trace --vllm-states pooling`).",
  ),
  folder: setting(
    z.string().min(1).default("/dev/shm/sep-states"),
    "Folder where the server writes hidden states; `sep trace` must be able to read it.",
    { placeholder: "DIR" },
  ),
  port: setting(z.int().min(1).max(65535).optional(), "Port of the server.", { fallback: "8000, as vLLM" }),
  dtype: redescribe(MODEL.dtype, {
    help: "Precision of the model: auto, bfloat16, float16, half or float32.",
    fallback: "auto, as vLLM",
  }),
  ...VLLM_SERVER,
};

/** "hf" is another name for the local engine. */
export const isLocal = (backend: string): boolean => backend === "local" || backend === "hf";

/**
 * Refuses settings that would else be passed over in silence: those that the chosen backend or the chosen equivalence does
 * not read, and those that were given without the setting that they belong to.
 * @param settings those of a command or a study
 * @param given names of settings that the user wrote, which need not differ from their defaults to be refused
 * @throws SepError `bad-option` with the setting and what uses it
 */
export function refuseIdleSettings(
  settings: Settings,
  values: Readonly<Record<string, unknown>>,
  given: ReadonlySet<string> = new Set(),
): void {
  for (const [name, schema] of Object.entries(settings)) {
    const { needs } = schema.meta() as SettingNotes;
    if (needs === undefined || !given.has(name) || (values[needs] ?? false) !== false) continue;
    throw new SepError(
      "bad-option",
      `Got --${toFlag(name)} without --${toFlag(needs)}, but it has an effect only with that option. Add --${toFlag(needs)} or omit --${toFlag(name)}.`,
    );
  }
  refuseIdleMeaning(settings, values, given);
  const { backend } = values;
  if (settings.backend === undefined || typeof backend !== "string") return;
  const chosen = isLocal(backend) ? "local" : backend;
  for (const [name, schema] of Object.entries(settings)) {
    const { backends } = schema.meta() as SettingNotes;
    if (backends === undefined || backends.includes(chosen)) continue;
    if (!given.has(name) && values[name] === defaultOf(schema)) continue;
    const readers = joinWithOr(backends);
    throw new SepError(
      "bad-option",
      `Got --${toFlag(name)} with --backend ${backend}, but only --backend ${readers} uses it. Omit --${toFlag(name)} or choose --backend ${readers}.`,
    );
  }
}

/** Models and thresholds of an equivalence that is not the chosen one. */
function refuseIdleMeaning(
  settings: Settings,
  values: Readonly<Record<string, unknown>>,
  given: ReadonlySet<string>,
): void {
  const { equivalence, estimates = "default", seMode, correctness } = values;
  if (typeof equivalence !== "string") return;
  const hasMeasures = estimates !== "default" || seMode !== undefined;
  for (const [name, schema] of Object.entries(settings)) {
    const { equivalences, graders, isForMeasures } = schema.meta() as SettingNotes;
    if (equivalences === undefined || equivalences.includes(equivalence)) continue;
    if (typeof correctness === "string" && graders?.includes(correctness)) continue;
    if ((isForMeasures && hasMeasures) || (!given.has(name) && values[name] === defaultOf(schema))) continue;
    const readers = joinWithOr(equivalences.filter((each) => each !== "auto"));
    throw new SepError(
      "bad-option",
      `Got --${toFlag(name)} with --equivalence ${equivalence}, but only --equivalence ${readers} uses it. Omit --${toFlag(name)} or choose --equivalence ${readers}.`,
    );
  }
}
