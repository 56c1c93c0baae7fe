import { openLocalBackend } from "../../backends/local/open-local-backend.ts";
import { openVllmAnswers } from "../../backends/vllm/open-vllm.ts";
import { SepError } from "../../errors.ts";
import { createMeaningModels, type MeaningModels } from "../../study/meaning/meaning-models.ts";
import type { AdaptiveOptions } from "../../study/sampling/adaptive-k.ts";
import { asBest } from "../../study/sampling/best-answer.ts";
import { generateRuns } from "../../study/sampling/generate-runs.ts";
import { resolveSampler } from "../../study/sampling/resolve-sampler.ts";
import type { Workspace } from "../../study/workspace.ts";
import { type CliContext, type Command, defineCommand } from "../command.ts";
import { MEANING_OPTIONS, readMeaningChoice } from "../meaning-options.ts";
import { readModelChoices } from "../model-values.ts";
import { number, type OptionValues } from "../option-spec.ts";
import { eachSet, runStepCommand, type Steps } from "../run-steps.ts";
import { SAMPLING_OPTIONS } from "../sampling-options.ts";
import { readSamplingChoices } from "../sampling-values.ts";
import { SHARD_OPTION, shardWorkspace } from "../shard-option.ts";
import { LIMIT_OPTION, MODEL_OPTIONS, OUTPUT_OPTIONS, SEED_OPTION, SET_OPTION } from "../step-options.ts";
import {
  BACKEND_OPTIONS,
  noteDtype,
  readLocalDtype,
  readVllmChoice,
  SERVE_OPTIONS,
  VLLM_ANSWER_OPTIONS,
  VLLM_OPTIONS,
} from "../vllm-options.ts";

const { clustering: _greedyOnly, ...RELATION_OPTIONS } = MEANING_OPTIONS;

/** What `--adaptive` reads. */
const ADAPTIVE_OPTIONS = {
  "se-threshold": number({ min: 0 }, undefined, "Of --adaptive: nats of discrete semantic entropy."),
  ...RELATION_OPTIONS,
};

const OPTIONS = {
  ...LIMIT_OPTION,
  ...MODEL_OPTIONS,
  ...BACKEND_OPTIONS,
  ...VLLM_OPTIONS,
  ...VLLM_ANSWER_OPTIONS,
  ...SERVE_OPTIONS,
  ...SAMPLING_OPTIONS,
  ...ADAPTIVE_OPTIONS,
  ...SEED_OPTION,
  ...SET_OPTION,
  ...SHARD_OPTION,
  ...OUTPUT_OPTIONS,
};

/** Step 2: answers to each question. */
export const GENERATE: Command = defineCommand({
  name: "generate",
  summary: "step 2: draw answers to each question, data/{math,ood}_runs.jsonl",
  options: OPTIONS,
  examples: [
    { line: "sep generate", meaning: "ten answers a question from the embedded model" },
    {
      line: "sep generate --model ./Qwen3-0.6B --runs 3 --limit 5 --temperature 0.7 --max-new-tokens 512",
      meaning: "three answers to five questions from a checkpoint on disk",
    },
    { line: "sep generate --shard 2/8", meaning: "the second eighth of the questions" },
    {
      line: "sep generate --backend vllm --model Qwen/Qwen3-8B --gpu-mem-utilization 0.9",
      meaning: "starts vLLM here, and ends it afterwards",
    },
    {
      line: "sep generate --backend vllm --model Qwen/Qwen3-8B --vllm-url http://gpu1:8000,http://gpu2:8000",
      meaning: "from two servers that run already",
    },
    { line: "sep generate --set ood --seed 7", meaning: "the out-of-distribution questions only" },
    {
      line: "sep generate --temperature 1 --best-answer",
      meaning: "also one answer at temperature 0.1, for the probes",
    },
    {
      line: "sep generate --adaptive --se-threshold 0.9",
      meaning: "no more answers than it takes to tell which questions are above 0.9 nats",
    },
  ],
  run(values, context) {
    return runStepCommand(values, context, (workspace) =>
      noteDtype("generate", values, generateSets(workspace, values, context)),
    );
  },
});

async function* generateSets(
  study: Workspace,
  values: OptionValues<typeof OPTIONS>,
  { signal, env }: CliContext,
): Steps {
  const workspace = shardWorkspace(study, values.shard);
  const adaptive = readAdaptive(values, createMeaningModels({ hub: { env }, threads: values.threads }));
  const { sampler: chosen, samplerPreset, bestTemperature, ...choices } = await readSamplingChoices(values);
  const vllm = readVllmChoice(values);
  await using opened =
    vllm === null
      ? yield* openLocalBackend(values.model, {
          ...readModelChoices({ ...values, dtype: readLocalDtype(values.dtype) }),
          hub: { env },
          signal,
        })
      : yield* openVllmAnswers(values.model, vllm, { root: workspace.root, hub: { env }, signal });
  const { backend } = opened;
  const { settings, sources } = resolveSampler(backend.model, chosen, samplerPreset);
  const always = {
    model: backend,
    ...choices,
    limit: values.limit,
    sampler: settings,
    samplerSources: sources,
    seed: values.seed,
    signal,
    force: values.force,
  };
  const samples = yield* eachSet(
    "generate",
    values.set,
    workspace.raw,
    (set, plan) => generateRuns(workspace, set, { ...always, adaptive, plan }),
    { keepsWork: true },
  );
  if (bestTemperature === undefined) return samples;
  const best = yield* eachSet(
    "generate",
    values.set,
    workspace.raw,
    (set, plan) =>
      generateRuns(workspace, set, { ...always, ...asBest(settings, sources, bestTemperature), plan }),
    { keepsWork: true },
  );
  return [...samples, ...best];
}

function readAdaptive(
  values: OptionValues<typeof OPTIONS>,
  models: MeaningModels,
): AdaptiveOptions | undefined {
  const { "se-threshold": seThreshold } = values;
  if (values.adaptive && seThreshold !== undefined)
    return { seThreshold, meaning: readMeaningChoice({ ...values, clustering: "greedy" }), models };
  if (values.adaptive)
    throw new SepError(
      "bad-option",
      "Got --adaptive without --se-threshold, expected the threshold in nats.",
    );
  const specs = Object.entries(ADAPTIVE_OPTIONS) as [
    keyof typeof ADAPTIVE_OPTIONS,
    { readonly initial: unknown },
  ][];
  const [idle] = specs.find(([name, { initial }]) => values[name] !== initial) ?? [];
  if (idle !== undefined)
    throw new SepError("bad-option", `Got --${idle} without --adaptive, and nothing else here reads it.`);
  return undefined;
}
