import { requirePart } from "../../backends/load-backend.ts";
import { SepError } from "../../errors.ts";
import type { StepPlan } from "../../study/decide-step.ts";
import { createMeaningModels, type MeaningModels } from "../../study/meaning/meaning-models.ts";
import type { AdaptiveOptions } from "../../study/sampling/adaptive-k.ts";
import { resolveGrading } from "../../study/sampling/grade-runs.ts";
import { openSampling } from "../../study/sampling/open-sampling.ts";
import { type GenerateRunsOptions, readPrompt } from "../../study/sampling/plan-generation.ts";
import { asBest, resolveSampler } from "../../study/sampling/resolve-sampler.ts";
import { BATCH, MODEL, VLLM, VLLM_ANSWERS, VLLM_SERVER } from "../../study/settings/backends.ts";
import { EQUIVALENCE } from "../../study/settings/meaning.ts";
import { WITH_STATES } from "../../study/settings/probes.ts";
import { ADAPTIVE, GENERATE_SETTINGS, PREPARE_SETTINGS, SEED } from "../../study/settings/sampling.ts";
import { type SettingNotes, type SettingsOutput, toFlag } from "../../study/settings/setting.ts";
import { generateRuns } from "../../study/steps/generate-runs.ts";
import { traceRuns } from "../../study/steps/trace-runs.ts";
import { answersToTrace } from "../../study/study-answers.ts";
import { type DataSetName, SPLIT_SOURCES, type Workspace } from "../../study/workspace.ts";
import { type CliContext, type Command, defineCommand, type GivenOptions } from "../command.ts";
import { CONFIG, OUTPUT, SET, SHARD, shardWorkspace } from "../common-settings.ts";
import { eachSet, runStepCommand, type Steps } from "../run-steps.ts";

/** What `--adaptive` alone reads; its clusters are greedy ones. */
const OF_ADAPTIVE = { ...ADAPTIVE, ...EQUIVALENCE };

const OPTIONS = {
  limit: PREPARE_SETTINGS.limit,
  ...MODEL,
  ...BATCH,
  ...VLLM,
  ...VLLM_ANSWERS,
  ...VLLM_SERVER,
  ...GENERATE_SETTINGS,
  ...OF_ADAPTIVE,
  ...WITH_STATES,
  ...SEED,
  ...SET,
  ...SHARD,
  ...CONFIG,
  ...OUTPUT,
};

type Values = SettingsOutput<typeof OPTIONS>;

/** Step 2: answers to each question. */
export const GENERATE: Command = defineCommand({
  name: "generate",
  summary: "step 2: sample answers to each question, data/{math,ood}_runs.jsonl",
  options: OPTIONS,
  examples: [
    { line: "sep generate", meaning: "ten answers per question from the embedded model" },
    {
      line: "sep generate --model ./Qwen3-0.6B --runs 3 --limit 5 --temperature 0.7 --max-new-tokens 512",
      meaning: "three answers to five questions from a checkpoint on disk",
    },
    { line: "sep generate --shard 2/8", meaning: "the second eighth of the questions" },
    {
      line: "sep generate --backend vllm --model Qwen/Qwen3-8B --gpu-mem-utilization 0.9",
      meaning: "start a vLLM server, and stop it afterwards",
    },
    {
      line: "sep generate --backend vllm --model Qwen/Qwen3-8B --vllm-url http://gpu1:8000,http://gpu2:8000",
      meaning: "from two servers that are already running",
    },
    { line: "sep generate --set ood --seed 7", meaning: "the out-of-distribution questions only" },
    {
      line: "sep generate --temperature 1 --best-answer",
      meaning: "also one answer per question at temperature 0.1, for the probes",
    },
    {
      line: "sep generate --correctness judge --judge-model qwen3-32b --judge-url http://localhost:8000/v1",
      meaning: "a model behind a server decides which answers are correct; no answer is sampled again",
    },
    {
      line: "sep generate --with-states",
      meaning: "and the hidden states of the answers, so that `sep trace` has nothing left to do",
    },
    {
      line: "sep generate --adaptive --se-threshold 0.9",
      meaning: "no more answers than are needed to tell which questions are above 0.9 nats",
    },
  ],
  run: (values, context, { given }) =>
    runStepCommand(values, context, (workspace) => generateSets(workspace, values, given, context)),
});

async function* generateSets(
  study: Workspace,
  values: Values,
  given: GivenOptions["given"],
  { signal, env }: CliContext,
): Steps {
  const workspace = shardWorkspace(study, values.shard);
  const models = createMeaningModels({ hub: { env }, threads: values.threads });
  const adaptive = readAdaptive(values, given, models);
  const grading = resolveGrading(values, models);
  const prompt = yield* readPrompt(values, { hub: { env }, signal });
  const { runs, limit, seed, force } = values;
  const { backend: opened, dtypeChoice } = yield* openSampling(values, {
    workspace,
    sets: values.set === "both" ? SPLIT_SOURCES : [values.set],
    force,
    prompt,
    limit,
    hub: { env },
    signal,
  });
  await using _opened = opened;
  const backend = requirePart(opened, "answers");
  const { settings: sampler, sources: samplerSources } = resolveSampler(backend.model, values);
  const always = { model: backend, dtypeChoice, ...prompt, ...grading, runs, limit, seed, force, signal };
  const { withStates, positions, layers, indices, answers } = values;
  const places = { positions, layers, indices };
  const states = withStates ? requirePart(opened, "states") : null;
  const generate = (
    own: Pick<GenerateRunsOptions, "sampler" | "samplerSources" | "answers" | "adaptive">,
  ): Steps =>
    eachSet(
      "generate",
      values.set,
      workspace.raw,
      async function* (set: DataSetName, plan?: StepPlan) {
        const traced = await answersToTrace(workspace, set, answers, values.bestAnswer);
        const isTraced = states !== null && traced === (own.answers ?? "samples");
        return yield* generateRuns(workspace, set, {
          ...always,
          ...own,
          states: isTraced ? { backend: states, ...places } : undefined,
          plan,
        });
      },
      { keepsWork: true },
    );
  const results = [...(yield* generate({ sampler, samplerSources, adaptive }))];
  if (values.bestAnswer)
    results.push(...(yield* generate(asBest(sampler, samplerSources, values.bestTemperature))));
  if (states === null) return results;
  const trace = eachSet("trace", values.set, workspace.runs, (set) =>
    traceRuns(workspace, set, { ...places, answers, model: states, force, takeSampled: true, signal }),
  );
  return [...results, ...(yield* trace)];
}

function readAdaptive(
  values: Values,
  given: GivenOptions["given"],
  models: MeaningModels,
): AdaptiveOptions | undefined {
  const { adaptive, seThreshold, ...meaning } = values;
  if (adaptive && seThreshold !== undefined) return { seThreshold, meaning, models };
  if (adaptive)
    throw new SepError(
      "bad-option",
      "Got --adaptive without --se-threshold, expected the threshold in nats.",
    );
  const idle = Object.entries(OF_ADAPTIVE).find(([name, schema]) => {
    const { graders } = schema.meta() as SettingNotes;
    return given.has(name) && graders?.includes(values.correctness) !== true;
  })?.[0];
  if (idle === undefined) return undefined;
  throw new SepError(
    "bad-option",
    `Got --${toFlag(idle)} without --adaptive, which is the only option that uses it. Add --adaptive, or leave it out.`,
  );
}
