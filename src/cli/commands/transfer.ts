import { readFile } from "node:fs/promises";
import { relative, resolve } from "node:path";
import type { TransferEval } from "../../evaluation/transfer-eval.ts";
import { transferProbes } from "../../study/probes/transfer-probes.ts";
import { openWorkspace, type Workspace } from "../../study/workspace.ts";
import { type Command, defineCommand } from "../command.ts";
import { describeTransfer } from "../describe-transfer.ts";
import { EXIT } from "../exit.ts";
import { operands } from "../option-spec.ts";
import { createPaint } from "../paint.ts";
import { oneStep, runSteps, type Steps } from "../run-steps.ts";
import { OUTPUT_OPTIONS, SEED_OPTION } from "../step-options.ts";
import { TRAINING_OPTIONS } from "../training-options.ts";

const { nested: _nested, permutations: _permutations, ...FITTING_OPTIONS } = TRAINING_OPTIONS;

/** How well probes carry over from one data set to another. */
export const TRANSFER: Command = defineCommand({
  name: "transfer",
  summary: "probes trained on each data set, tried on every other: artifacts/transfer.json",
  options: {
    folders: operands(
      "DIRS",
      "Folders of finished studies, traced on the same model; each question set of them is a data set.",
    ),
    ...FITTING_OPTIONS,
    ...SEED_OPTION,
    ...OUTPUT_OPTIONS,
  },
  examples: [
    { line: "sep transfer .", meaning: "between the two question sets of this study" },
    {
      line: "sep transfer trivia math science --out comparison",
      meaning: "every question set of three studies with every other, and with all others pooled",
    },
  ],
  async run(values, context) {
    const steps = (workspace: Workspace): Steps =>
      oneStep(
        transferProbes(workspace, values.folders, {
          seThreshold: values["se-threshold"],
          kind: values.probe,
          layer: values.layer,
          window: values.window,
          C: values.c,
          classWeight: values["class-weight"],
          seed: values.seed,
          force: values.force,
          signal: context.signal,
        }),
      );
    await runSteps(values, context, steps, ["transfer"]);
    if (values.json || values.quiet) return EXIT.ok;
    const { transfer } = openWorkspace(resolve(values.out));
    const found = JSON.parse(await readFile(transfer, "utf8")) as TransferEval;
    const text = describeTransfer(found, createPaint(context.stdout, context.env));
    context.stdout.write(`\n${text}\n\nData    ${relative(process.cwd(), transfer)}\n`);
    return EXIT.ok;
  },
});
