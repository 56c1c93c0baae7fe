import { readFile } from "node:fs/promises";
import { relative, resolve } from "node:path";
import type { TransferEval } from "../../evaluation/transfer-eval.ts";
import { transferProbes } from "../../study/probes/transfer-probes.ts";
import { FITTING } from "../../study/settings/probes.ts";
import { SEED } from "../../study/settings/sampling.ts";
import { operands } from "../../study/settings/setting.ts";
import { openWorkspace, type Workspace } from "../../study/workspace.ts";
import { type Command, defineCommand } from "../command.ts";
import { OUTPUT } from "../common-settings.ts";
import { describeTransfer } from "../describe-transfer.ts";
import { EXIT } from "../exit.ts";
import { oneStep, runSteps, type Steps } from "../run-steps.ts";
import { createPaint } from "../terminal.ts";

/** How well probes carry over from one data set to another. */
export const TRANSFER: Command = defineCommand({
  name: "transfer",
  summary: "probes trained on each data set, tried on every other: artifacts/transfer.json",
  options: {
    folders: operands(
      "DIRS",
      "Folders of finished studies, traced on the same model; each question set of them is a data set.",
    ),
    ...FITTING,
    ...SEED,
    ...OUTPUT,
  },
  examples: [
    { line: "sep transfer .", meaning: "between the two question sets of this study" },
    {
      line: "sep transfer trivia math science --out comparison",
      meaning: "every question set of three studies with every other, and with all others pooled",
    },
  ],
  async run(values, context) {
    const options = { ...values, signal: context.signal };
    const steps = (workspace: Workspace): Steps =>
      oneStep(transferProbes(workspace, values.folders, options));
    await runSteps(values, context, steps, ["transfer"]);
    if (values.json || values.quiet) return EXIT.ok;
    const { transfer } = openWorkspace(resolve(values.out));
    const found = JSON.parse(await readFile(transfer, "utf8")) as TransferEval;
    const text = describeTransfer(found, createPaint(context.stdout, context.env));
    context.stdout.write(`\n${text}\n\nData    ${relative(process.cwd(), transfer)}\n`);
    return EXIT.ok;
  },
});
