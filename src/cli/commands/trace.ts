import { resolve } from "node:path";
import { z } from "zod";
import { requirePart } from "../../backends/load-backend.ts";
import type { PromptOptions } from "../../engine/tokenizer/build-prompt.ts";
import { SepError } from "../../errors.ts";
import { drain } from "../../net/map-concurrently.ts";
import { fileExists } from "../../store/read-file.ts";
import { openBackend } from "../../study/open-backends.ts";
import { readPrompt } from "../../study/sampling/plan-generation.ts";
import { MODEL, NNSIGHT, VLLM, VLLM_SERVER, VLLM_STATES } from "../../study/settings/backends.ts";
import { INDICES, MARKED, OBSERVER, STATES_STORAGE, TRACE_SETTINGS } from "../../study/settings/probes.ts";
import { defaultOf, flag, redescribe, type SettingsOutput, setting } from "../../study/settings/setting.ts";
import type { StepEvent } from "../../study/step.ts";
import { traceRuns } from "../../study/steps/trace-runs.ts";
import { type TraceVerdict, verifyTrace } from "../../study/steps/verify-trace.ts";
import { openWorkspace, SPLIT_SOURCES, type Workspace } from "../../study/workspace.ts";
import { formatSignificant } from "../../text/format-numbers.ts";
import { type CliContext, type Command, defineCommand } from "../command.ts";
import { CONFIG, OUTPUT, SET, SHARD, shardOrStudyRuns } from "../common-settings.ts";
import { EXIT } from "../exit.ts";
import { renderProgress } from "../render-progress.ts";
import { eachSet, runStepCommand, type Steps } from "../run-steps.ts";
import { createPaint, type Paint } from "../terminal.ts";

const OPTIONS = {
  ...MODEL,
  ...NNSIGHT,
  threads: redescribe(MODEL.threads, { backends: ["local"] }),
  dtype: redescribe(MODEL.dtype, {
    help: "Precision of the model. Local engine: float32, or int8 or int4, whose states are not those of the float32 model; the other names mean float32; docs/dtype.md. vLLM: auto, bfloat16, float16, half or float32.",
    fallback: "float32; vllm: auto",
  }),
  ...VLLM,
  ...VLLM_STATES,
  ...VLLM_SERVER,
  ...TRACE_SETTINGS,
  ...STATES_STORAGE,
  ...MARKED,
  ...INDICES,
  ...OBSERVER,
  verify: flag(
    "Instead of tracing, check the existing trace: tokens, positions, vectors, and a sample that is read again with this model. The exit code is 1 if a check fails; docs/verify.md.",
  ),
  verifySample: setting(z.int().min(0).default(32), "Number of rows per set that --verify reads again.", {
    needs: "verify",
  }),
  ...SET,
  ...SHARD,
  ...CONFIG,
  ...OUTPUT,
};

type Values = SettingsOutput<typeof OPTIONS>;

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
    {
      line: "sep trace --positions step-end,every-token --states-dtype float16 --layers 3",
      meaning: "the end of each step of the reasoning, and every token",
    },
    { line: "sep trace --verify", meaning: "check that the stored states belong to the recorded tokens" },
    {
      line: "sep trace --observer pocket --out closed-model",
      meaning: "the embedded model reads the answers that another model wrote",
    },
    {
      line: "sep trace --backend vllm --model Qwen/Qwen3-8B --layers 0,18,36 --vllm-url http://localhost:8000",
      meaning: "from a server started with the command that `sep vllm-command` prints for the same layers",
    },
    {
      line: "sep trace --backend nnsight --python ./venv/bin/python --model EleutherAI/pythia-160m",
      meaning: "with transformers under nnsight, in Python",
    },
  ],
  run(values, context) {
    if (values.verify) return verifySets(values, context);
    return runStepCommand(values, context, (workspace) => traceSets(workspace, values, context));
  },
});

async function* traceSets(study: Workspace, values: Values, context: CliContext): Steps {
  const workspace = await shardOrStudyRuns(study, values.shard);
  const observer = await readObserver(values, context);
  await using opened = yield* openStates(values, workspace, context);
  return yield* eachSet("trace", values.set, workspace.runs, (set) =>
    traceRuns(workspace, set, {
      ...values,
      observer,
      model: requirePart(opened, "states"),
      signal: context.signal,
    }),
  );
}

const openStates = (
  values: Values,
  { root }: Workspace,
  { signal, env }: CliContext,
): ReturnType<typeof openBackend> =>
  openBackend(
    { ...values, model: values.observer ?? values.model },
    { root, hub: { env }, signal, step: "trace" },
  );

/**
 * How the observer is prompted; undefined without one.
 * @throws SepError as `readPrompt`; `bad-option` for two models, and few-shot prompts without shots
 */
async function readObserver(values: Values, { env, signal }: CliContext): Promise<PromptOptions | undefined> {
  const { observer, model } = values;
  if (observer === undefined) return undefined;
  if (model !== defaultOf(MODEL.model))
    throw new SepError(
      "bad-option",
      `Got --observer ${observer} and --model ${model}, but one model reads the answers. Omit --model: which model wrote them is in the runs file.`,
    );
  const { promptFormat: format, ...prompt } = await drain(readPrompt(values, { hub: { env }, signal }));
  if (format !== "few-shot") return { ...prompt, format };
  throw new SepError(
    "bad-option",
    "Got --prompt-format few-shot without --shots, expected the file with the examples.",
  );
}

/** @returns the exit code: failed if any check of any set did */
async function verifySets(values: Values, context: CliContext): Promise<number> {
  const { json, quiet } = values;
  const verdicts = await renderProgress(findVerdicts(values, context), { json, quiet }, context);
  if (json) context.stdout.write(`${JSON.stringify({ kind: "verdict", verdicts })}\n`);
  const paint = createPaint(context.stdout, context.env);
  for (const verdict of verdicts)
    if (!json && (!quiet || !verdict.passed)) context.stdout.write(`${describeVerdict(verdict, paint)}\n`);
  return verdicts.every(({ passed }) => passed) ? EXIT.ok : EXIT.failed;
}

async function* findVerdicts(
  values: Values,
  context: CliContext,
): AsyncGenerator<StepEvent, readonly TraceVerdict[]> {
  const workspace = openWorkspace(resolve(values.out));
  await using opened = yield* openStates(values, workspace, context);
  const model = requirePart(opened, "states");
  const format = values.observer === undefined ? undefined : (await readObserver(values, context))?.format;
  const promptFormat = format === "auto" ? undefined : format;
  const verdicts: TraceVerdict[] = [];
  for (const set of values.set === "both" ? SPLIT_SOURCES : [values.set]) {
    if (values.set === "both" && set !== "math" && !(await fileExists(workspace.hiddenStates(set)))) continue;
    verdicts.push(
      yield* verifyTrace(workspace, set, {
        model,
        promptFormat,
        sample: values.verifySample,
        signal: context.signal,
      }),
    );
  }
  return verdicts;
}

/** What was found about a trace, one check per line, with examples of what failed. */
function describeVerdict(verdict: TraceVerdict, paint: Paint): string {
  const { part, passed, rows, layers, checks, largest_difference } = verdict;
  const counts = Object.entries(rows).map(([position, count]) => `${count} ${position}`);
  return [
    `${paint("bold", part)}: ${counts.join(", ")}; layers ${layers[0]} to ${layers.at(-1)}`,
    ...checks.flatMap(({ name, claim, checked, failed, examples, skipped }) => [
      `  ${mark(failed, skipped, paint)} ${name.padEnd(NAME_WIDTH)}${describeCounts(checked, failed, skipped)}${claim}`,
      ...examples.map((example) => `       ${paint("gray", example)}`),
    ]),
    ...(largest_difference === null
      ? []
      : [
          `  largest difference of the second reading: ${formatSignificant(largest_difference, 2)} of a vector's scale`,
        ]),
    `  ${passed ? paint("green", "passed") : paint("red", "failed")}`,
  ].join("\n");
}

const NAME_WIDTH = 11;
const COUNT_WIDTH = 18;

const mark = (failed: number, skipped: string | null, paint: Paint): string =>
  skipped !== null ? paint("yellow", "--") : failed > 0 ? paint("red", "no") : paint("green", "ok");

const describeCounts = (checked: number, failed: number, skipped: string | null): string =>
  skipped === null ? `${checked - failed} of ${checked}`.padEnd(COUNT_WIDTH) : `not checked: ${skipped}; `;
