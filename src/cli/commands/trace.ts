import { resolve } from "node:path";
import { openLocalBackend } from "../../backends/local/open-local-backend.ts";
import { openNnsight } from "../../backends/nnsight/open-nnsight.ts";
import type { OpenBackend } from "../../backends/open-backend.ts";
import { openVllmStates } from "../../backends/vllm/open-vllm.ts";
import { POSITION_INDICES, TRACE_POSITIONS } from "../../states/positions.ts";
import type { StateBackend } from "../../states/state-backend.ts";
import { fileExists } from "../../store/file-exists.ts";
import type { StepEvent } from "../../study/step.ts";
import { traceRuns } from "../../study/tracing/trace-runs.ts";
import { type TraceVerdict, verifyTrace } from "../../study/tracing/verify-trace.ts";
import { openWorkspace, SPLIT_SOURCES, type Workspace } from "../../study/workspace.ts";
import { type CliContext, type Command, defineCommand } from "../command.ts";
import { describeVerdict } from "../describe-verdict.ts";
import { EXIT } from "../exit.ts";
import { readModelChoices } from "../model-values.ts";
import { NNSIGHT_OPTIONS, readNnsightChoice, STATE_BACKEND_OPTION } from "../nnsight-options.ts";
import { choice, flag, number, type OptionValues } from "../option-spec.ts";
import { createPaint } from "../paint.ts";
import { renderProgress } from "../render-progress.ts";
import { eachSet, runStepCommand, type Steps } from "../run-steps.ts";
import { SHARD_OPTION, shardOrStudyRuns } from "../shard-option.ts";
import { MODEL_OPTIONS, OUTPUT_OPTIONS, SET_OPTION, TRACE_OPTIONS } from "../step-options.ts";
import {
  BACKEND_OPTIONS,
  noteDtype,
  readLocalDtype,
  readVllmChoice,
  SERVE_OPTIONS,
  VLLM_OPTIONS,
  VLLM_STATE_OPTIONS,
} from "../vllm-options.ts";

const OPTIONS = {
  ...MODEL_OPTIONS,
  ...BACKEND_OPTIONS,
  ...STATE_BACKEND_OPTION,
  ...VLLM_OPTIONS,
  ...VLLM_STATE_OPTIONS,
  ...SERVE_OPTIONS,
  ...NNSIGHT_OPTIONS,
  ...TRACE_OPTIONS,
  indices: choice(
    POSITION_INDICES,
    "exact",
    "How positions are counted; oatml-compat: as the published code of semantic entropy probes does; docs/positions.md.",
  ),
  verify: flag(
    "Check a trace that is there instead: tokens, places, vectors, and a sample read again by this model.",
  ),
  "verify-sample": number({ integer: true, min: 0 }, 32, "Of --verify: rows of each set to read again."),
  ...SET_OPTION,
  ...SHARD_OPTION,
  ...OUTPUT_OPTIONS,
};

/** Step 4: hidden states. */
export const TRACE: Command = defineCommand({
  name: "trace",
  summary: "step 4: read hidden states, artifacts/{math,ood}_hidden_states.safetensors",
  options: OPTIONS,
  examples: [
    { line: "sep trace", meaning: "every layer at every position" },
    {
      line: "sep trace --model ./Qwen3-0.6B --positions think-end,last-token --layers 14,20,28",
      meaning: "two positions and three layers of a checkpoint on disk",
    },
    { line: "sep trace --verify", meaning: "are the stored states those of the tokens that they say?" },
    {
      line: "sep trace --backend vllm --model Qwen/Qwen3-8B --layers 0,18,36 --vllm-url http://localhost:8000",
      meaning: "from a server that `sep vllm-command` with the same layers started",
    },
    {
      line: "sep trace --backend nnsight --python ./venv/bin/python --model EleutherAI/pythia-160m",
      meaning: "by Python's transformers, under nnsight",
    },
  ],
  run(values, context) {
    if (values.verify) return verifySets(values, context);
    return runStepCommand(values, context, (workspace) =>
      noteDtype("trace", values, traceSets(workspace, values, context)),
    );
  },
});

async function* traceSets(
  study: Workspace,
  values: OptionValues<typeof OPTIONS>,
  context: CliContext,
): Steps {
  const workspace = await shardOrStudyRuns(study, values.shard);
  const { positions, layers, answers, force } = values;
  const { signal } = context;
  await using opened = yield* openBackend(values, workspace, context);
  return yield* eachSet("trace", values.set, workspace.runs, (set) =>
    traceRuns(workspace, set, {
      model: opened.backend,
      positions: positions === "all" ? TRACE_POSITIONS : positions,
      layers,
      indices: values.indices,
      answers,
      signal,
      force,
    }),
  );
}

/** @returns the exit code: failed if any check of any set did */
async function verifySets(values: OptionValues<typeof OPTIONS>, context: CliContext): Promise<number> {
  const { json, quiet } = values;
  const verdicts = await renderProgress(findVerdicts(values, context), { json, quiet }, context);
  if (json) context.stdout.write(`${JSON.stringify({ kind: "verdict", verdicts })}\n`);
  const paint = createPaint(context.stdout, context.env);
  for (const verdict of verdicts)
    if (!json && (!quiet || !verdict.passed)) context.stdout.write(`${describeVerdict(verdict, paint)}\n`);
  return verdicts.every(({ passed }) => passed) ? EXIT.ok : EXIT.failed;
}

async function* findVerdicts(
  values: OptionValues<typeof OPTIONS>,
  context: CliContext,
): AsyncGenerator<StepEvent, readonly TraceVerdict[]> {
  const workspace = openWorkspace(resolve(values.out));
  await using opened = yield* openBackend(values, workspace, context);
  const model = opened.backend;
  const verdicts: TraceVerdict[] = [];
  for (const set of values.set === "both" ? SPLIT_SOURCES : [values.set]) {
    if (values.set === "both" && set !== "math" && !(await fileExists(workspace.hiddenStates(set)))) continue;
    const { "verify-sample": sample } = values;
    verdicts.push(yield* verifyTrace(workspace, set, { model, sample, signal: context.signal }));
  }
  return verdicts;
}

async function* openBackend(
  values: OptionValues<typeof OPTIONS>,
  { root }: Workspace,
  { signal, env }: CliContext,
): AsyncGenerator<StepEvent, OpenBackend<StateBackend>> {
  const hub = { env };
  const nnsight = readNnsightChoice(values);
  if (nnsight !== null) return yield* openNnsight(values.model, { ...nnsight, hub, env, signal });
  const vllm = readVllmChoice(values);
  if (vllm !== null) return yield* openVllmStates(values.model, values.layers, vllm, { root, hub, signal });
  return yield* openLocalBackend(values.model, {
    ...readModelChoices({ ...values, dtype: readLocalDtype(values.dtype) }),
    hub,
    signal,
  });
}
