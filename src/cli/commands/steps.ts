import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import {
  DATASET_LAYER,
  DATASET_SETTINGS,
  REPORT_SETTINGS,
  TARGETS,
  TRAIN_POSITIONS,
  TRAIN_SETTINGS,
} from "../../study/settings/probes.ts";
import {
  DEFAULT_DATASET,
  DEFAULT_OOD,
  PREPARE_SETTINGS,
  parseSeeds,
  REPEATS,
  SEED,
  SEEDS,
} from "../../study/settings/sampling.ts";
import { flag, text } from "../../study/settings/setting.ts";
import { mergeShards } from "../../study/shards/merge-shards.ts";
import { buildDatasets } from "../../study/steps/build-datasets.ts";
import { evaluateProbes } from "../../study/steps/evaluate-probes.ts";
import { prepareQuestions, questionChoice } from "../../study/steps/prepare-questions.ts";
import { repeatSeeds } from "../../study/steps/repeat-seeds.ts";
import { trainProbes } from "../../study/steps/train-probes.ts";
import { writeReport } from "../../study/steps/write-report.ts";
import { openWorkspace, type Workspace } from "../../study/workspace.ts";
import { type Command, defineCommand } from "../command.ts";
import { CONFIG, OUTPUT } from "../common-settings.ts";
import { EXIT } from "../exit.ts";
import { openBrowser } from "../open-browser.ts";
import {
  EVALUATED_STEPS,
  oneStep,
  printEvaluation,
  runStepCommand,
  runSteps,
  type Steps,
} from "../run-steps.ts";

/** Step 1: the question files. */
export const PREPARE: Command = defineCommand({
  name: "prepare",
  summary: "step 1: write the questions, data/{math,ood}_raw.jsonl",
  options: { ...PREPARE_SETTINGS, ...SEED, ...CONFIG, ...OUTPUT },
  examples: [
    {
      line: "sep prepare",
      meaning: "the built-in sets: arithmetic, and word problems as the out-of-distribution set",
    },
    { line: "sep prepare --dataset my-questions.jsonl --ood none", meaning: "your own questions" },
    { line: "sep prepare --limit 20", meaning: "the first 20 questions of each set" },
    {
      line: "sep prepare --dataset trivia-qa --ood nq-open --shuffle-questions --limit 2000",
      meaning: "2,000 random questions of two data sets, downloaded from the Hugging Face Hub",
    },
  ],
  run(values, context) {
    const { dataset = DEFAULT_DATASET, ood = DEFAULT_OOD, force } = values;
    const always = { ...questionChoice(values), force, hub: { env: context.env }, signal: context.signal };
    return runStepCommand(values, context, async function* (workspace: Workspace): Steps {
      const math = yield* prepareQuestions(workspace, "math", { ...always, source: dataset });
      if (ood === "none") return [math];
      return [math, yield* prepareQuestions(workspace, "ood", { ...always, source: ood })];
    });
  },
});

/** Joins the files of shards. */
export const MERGE: Command = defineCommand({
  name: "merge",
  summary: "join the files that generate, entropy and trace wrote with --shard",
  options: OUTPUT,
  examples: [{ line: "sep merge", meaning: "all shards in shards/, into data/ and artifacts/" }],
  run: (values, context) =>
    runStepCommand(values, context, ({ root }) =>
      mergeShards(root, { force: values.force, signal: context.signal }),
    ),
});

/** Step 5: probe data sets. */
export const DATASET: Command = defineCommand({
  name: "dataset",
  summary: "step 5: build the probe data sets, split by question, artifacts/probe_datasets/",
  options: { ...DATASET_SETTINGS, ...DATASET_LAYER, ...SEEDS, ...CONFIG, ...OUTPUT },
  examples: [
    { line: "sep dataset", meaning: "hidden states at the default position" },
    { line: "sep dataset --position before-generation", meaning: "what the model knows before it answers" },
  ],
  run: (values, context) =>
    runStepCommand(values, context, (workspace) =>
      oneStep(buildDatasets(workspace, { ...values, signal: context.signal })),
    ),
});

/** Step 6: the probes. */
export const TRAIN: Command = defineCommand({
  name: "train",
  summary: "step 6: fit the probes, artifacts/models/",
  options: { ...TRAIN_SETTINGS, ...TRAIN_POSITIONS, ...TARGETS, ...SEEDS, ...CONFIG, ...OUTPUT },
  examples: [
    {
      line: "sep train",
      meaning: "the threshold of high semantic entropy is the best split of the training questions",
    },
    {
      line: "sep train --se-threshold median",
      meaning: "about half of the training answers count as uncertain",
    },
    {
      line: "sep train --window 5 --positions all --nested",
      meaning: "five consecutive layers at the best position, with a nested estimate of the AUROC",
    },
  ],
  run: (values, context) =>
    runStepCommand(values, context, (workspace) =>
      oneStep(trainProbes(workspace, { ...values, signal: context.signal })),
    ),
});

/** Step 7: how good the probes are. */
export const EVAL: Command = defineCommand({
  name: "eval",
  summary: "step 7: score the probes, artifacts/models/probe_eval.json and artifacts/report.html",
  options: { ...TARGETS, ...SEEDS, ...REPEATS, ...REPORT_SETTINGS, ...CONFIG, ...OUTPUT },
  examples: [
    { line: "sep eval", meaning: "AUROCs with intervals and p-values, and the report" },
    {
      line: "sep eval --target-risk 0.05 --target-coverage 0.9",
      meaning: "with thresholds that guarantee these values",
    },
    {
      line: "sep eval --seeds 1..5",
      meaning: "also with five other splits: means and intervals over them",
    },
    { line: "sep eval --out my-study --json", meaning: "the same for a script" },
  ],
  async run(values, context) {
    const options = { ...values, signal: context.signal };
    const steps = async function* (workspace: Workspace): Steps {
      const results = [yield* evaluateProbes(workspace, options)];
      if (values.seeds !== undefined) {
        const seeds = parseSeeds(values.seeds) ?? [];
        results.push(yield* repeatSeeds(workspace, { seeds, force: values.force, signal: context.signal }));
      }
      return [...results, yield* writeReport(workspace, options)];
    };
    const results = await runSteps(values, context, steps, EVALUATED_STEPS);
    await printEvaluation(values, results, context);
    return EXIT.ok;
  },
});

/** The page that shows an evaluation. */
export const REPORT: Command = defineCommand({
  name: "report",
  summary:
    "write the evaluation as a page, artifacts/report.html, with its figures as CSV and SVG, PDF or PNG",
  options: {
    transfer: text(
      "FILE",
      "Result of `sep transfer` to show in the report; docs/transfer.md.",
      "artifacts/transfer.json if it exists",
    ),
    ...REPORT_SETTINGS,
    open: flag("Open the report in the browser."),
    ...OUTPUT,
  },
  examples: [
    {
      line: "sep report --open",
      meaning: "write the report again if it is not current, and open it",
    },
    {
      line: "sep report --transfer comparison/artifacts/transfer.json",
      meaning: "with the result of a `sep transfer` in another folder",
    },
    {
      line: "sep report --figures svg,pdf,png",
      meaning: "each figure also as PDF for a paper and as PNG for slides, in artifacts/figures/",
    },
  ],
  async run(values, context) {
    const steps = (workspace: Workspace): Steps =>
      oneStep(writeReport(workspace, { ...values, signal: context.signal }));
    // seconds of work: its address says all
    await runSteps({ ...values, quiet: true }, context, steps);
    const address = pathToFileURL(openWorkspace(resolve(values.out)).report).href;
    if (values.open) openBrowser(address, context);
    if (!values.json && !values.quiet) context.stdout.write(`Report  ${address}\n`);
    return EXIT.ok;
  },
});
