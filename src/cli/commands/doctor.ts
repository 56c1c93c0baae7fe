import { z } from "zod";
import { tryPlans, wasBusy } from "../../backends/local/try-plans.ts";
import { openModel } from "../../checkpoint/load-model.ts";
import type { PlanTrial } from "../../checkpoint/machine-plan.ts";
import { MODEL_DTYPES } from "../../engine/runtime/device.ts";
import { engineOptionsOf } from "../../study/open-backends.ts";
import { ENGINE } from "../../study/settings/backends.ts";
import { redescribe, type SettingsOutput, setting, text } from "../../study/settings/setting.ts";
import { readTool, type StepEvent } from "../../study/step.ts";
import { type CliContext, type Command, defineCommand } from "../command.ts";
import { OUTPUT } from "../common-settings.ts";
import { EXIT } from "../exit.ts";
import {
  type Check,
  checkCpu,
  checkCudaLibraries,
  checkEngine,
  checkHuggingFaceCache,
  checkMemory,
  checkNode,
  checkPlans,
  checkPocket,
  checkWorkspace,
} from "../machine-checks.ts";
import { renderProgress } from "../render-progress.ts";
import { lookOf, type Style, USUAL_COLUMNS, wrap } from "../terminal.ts";

const { out, json, quiet } = OUTPUT;

const OPTIONS = {
  out,
  model: text(
    "ID|DIR",
    "Instead of the checks, measure how many copies of this model and rows per pass generate fastest here, and keep the result for `sep run` and `sep generate`; docs/batching.md.",
  ),
  dtype: setting(z.enum(MODEL_DTYPES).default("float32"), "Precision of --model; docs/dtype.md.", {
    needs: "model",
  }),
  threads: redescribe(ENGINE.threads, { needs: "model" }),
  memory: redescribe(ENGINE.memory, { needs: "model" }),
  json,
  quiet,
};

type Values = SettingsOutput<typeof OPTIONS>;

/** What is installed, what is missing, and how to get it. */
export const DOCTOR: Command = defineCommand({
  name: "doctor",
  summary: "show what is installed, what is missing, and how to get it",
  options: OPTIONS,
  examples: [
    { line: "sep doctor", meaning: "check this machine" },
    {
      line: "sep doctor --json",
      meaning: "the same for a script; the exit code is 1 if something is broken",
    },
    {
      line: "sep doctor --model ./Qwen3-0.6B --dtype int8",
      meaning: "measure how this machine runs a model fastest",
    },
  ],
  async run(values, context) {
    if (values.model !== undefined) return await showTrial({ ...values, model: values.model }, context);
    const checks: readonly Check[] = [
      { name: "package", status: "ok", detail: `${readTool().name} ${readTool().version}` },
      checkNode(),
      checkCpu(),
      checkMemory(),
      await checkWorkspace(values.out),
      ...(await checkEngine()),
      ...(await checkCudaLibraries()),
      await checkPocket(context.signal),
      await checkHuggingFaceCache(context.env),
      ...(await checkPlans()),
      PYTHON,
    ];
    const isBroken = checks.some(({ status }) => status === "broken");
    if (values.json) context.stdout.write(`${JSON.stringify({ kind: "doctor", ok: !isBroken, checks })}\n`);
    else printChecks(checks, context);
    return isBroken ? EXIT.failed : EXIT.ok;
  },
});

type TrialValues = Values & { readonly model: string };

async function showTrial(values: TrialValues, context: CliContext): Promise<number> {
  const trial = await renderProgress(tryModel(values, context), values, context);
  if (values.json) context.stdout.write(`${JSON.stringify({ kind: "trial", ...trial })}\n`);
  else context.stdout.write(describeTrial(trial));
  return EXIT.ok;
}

async function* tryModel(
  { model: reference, dtype, ...values }: TrialValues,
  { env, signal }: CliContext,
): AsyncGenerator<StepEvent, PlanTrial> {
  const engine = engineOptionsOf({ ...values, device: "cpu" });
  await using model = yield* openModel(reference, { ...engine, dtype, hub: { env }, signal });
  return yield* tryPlans(model, { signal });
}

/** One line per plan. */
function describeTrial(trial: PlanTrial): string {
  const { model, dtype, threadsPerWorker, tried, chosen } = trial;
  const busy = `Other work keeps the CPUs busy: ${Math.round(100 * trial.cpuShare)}% of them were left. Nothing is kept.`;
  const rows = tried.map(({ workers, rows, tokensPerSecond }) =>
    [
      String(workers).padStart(7),
      String(threadsPerWorker).padStart(18),
      String(rows).padStart(4),
      tokensPerSecond.toFixed(0).padStart(8),
      !wasBusy(trial) && workers === chosen.workers && rows === chosen.rows ? "chosen" : "",
    ].join("  "),
  );
  const head = "workers  threads per worker  rows  tokens/s";
  return `${[`${model}, ${dtype}`, head, ...rows.map((row) => row.trimEnd()), ...(wasBusy(trial) ? [busy] : [])].join("\n")}\n`;
}

/** For those who come from the Python pipelines and look for what to install. */
const PYTHON: Check = {
  name: "python",
  status: "ok",
  detail: "not needed; neither are torch, transformers, vllm, nnsight, scikit-learn and marimo",
};

function printChecks(checks: readonly Check[], context: CliContext): void {
  const { stdout } = context;
  const { paint, columns } = lookOf(stdout, context);
  const width = Math.max(...checks.map(({ name }) => name.length));
  // a narrow terminal has no room for a column of names
  const margin = " ".repeat(columns < USUAL_COLUMNS ? WORD_WIDTH + 2 : WORD_WIDTH + width + 2);
  for (const { name, status, detail, advice } of checks) {
    const { style, word } = MARKS[status];
    const head = `${word.padEnd(WORD_WIDTH)}${name.padEnd(width)}  `;
    const [first = "", ...others] = wrap(`${head}${detail}`.slice(margin.length), columns - margin.length);
    stdout.write(`${paint(style, word)}${head.slice(word.length, margin.length)}${first}\n`);
    for (const line of others) stdout.write(`${margin}${line}\n`);
    for (const line of advice === undefined ? [] : wrap(advice, columns - margin.length))
      stdout.write(`${margin}${paint("gray", line)}\n`);
  }
  const broken = checks.filter(({ status }) => status === "broken");
  stdout.write(
    broken.length === 0
      ? "\nEverything that `sep run` needs works.\n"
      : `\nBroken: ${broken.map(({ name }) => name).join(", ")}.\n`,
  );
}

/** Of a status and the space after it. */
const WORD_WIDTH = 8;

const MARKS: Readonly<Record<Check["status"], { readonly style: Style; readonly word: string }>> = {
  ok: { style: "green", word: "ok" },
  absent: { style: "gray", word: "absent" },
  warning: { style: "yellow", word: "warning" },
  broken: { style: "red", word: "broken" },
};
