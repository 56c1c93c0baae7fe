import { readFile } from "node:fs/promises";
import { relative, resolve } from "node:path";
import { nameObserver } from "../../engine/observation.ts";
import {
  TRANSFER_PROBE_TITLES,
  TRANSFER_SETTINGS,
  type TransferCell,
  type TransferEval,
  type TransferProbe,
  type TransferSetting,
  UNTRAINED_SCORES,
  type UntrainedScore,
} from "../../evaluation/transfer-eval.ts";
import { FITTING } from "../../study/settings/probes.ts";
import { SEED } from "../../study/settings/sampling.ts";
import { operands } from "../../study/settings/setting.ts";
import { transferProbes } from "../../study/steps/transfer-probes.ts";
import { openWorkspace, type Workspace } from "../../study/workspace.ts";
import { formatInterval, formatNumber, formatPercent, formatSigned } from "../../text/format-numbers.ts";
import { type Command, defineCommand } from "../command.ts";
import { OUTPUT } from "../common-settings.ts";
import { EXIT } from "../exit.ts";
import { oneStep, runSteps, type Steps } from "../run-steps.ts";
import { describeWarnings, hang, type Look, layOutRow, lookOf, type Paint } from "../terminal.ts";

/** How well probes carry over from one data set to another. */
export const TRANSFER: Command = defineCommand({
  name: "transfer",
  summary: "evaluate the probes of each data set on every other one, artifacts/transfer.json",
  options: {
    folders: operands(
      "DIRS",
      "Folders of finished studies, traced with the same model; each of their question sets is a data set.",
    ),
    ...FITTING,
    ...SEED,
    ...OUTPUT,
  },
  examples: [
    { line: "sep transfer .", meaning: "between the two question sets of this study" },
    {
      line: "sep transfer trivia math science --out comparison",
      meaning: "each question set of three studies against each other, and against all others pooled",
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
    const text = describeTransfer(found, lookOf(context.stdout, context));
    context.stdout.write(`\n${text}\n\nData    ${relative(process.cwd(), transfer)}\n`);
    return EXIT.ok;
  },
});

/**
 * A comparison of data sets as tables for people: the data sets by number, AUROC by source and target for each probe,
 * and the means. A matrix is as wide as there are data sets.
 */
export function describeTransfer(transfer: TransferEval, { paint, columns }: Look): string {
  const { datasets, source, warnings } = transfer;
  const observer = nameObserver(source);
  const list = datasets.flatMap(({ name, train_questions, test_questions, test_incorrect_share }, i) =>
    hang(
      `${i + 1}  ${name}: ${train_questions} training questions, ${test_questions} test questions, ${formatPercent(test_incorrect_share)} of answers wrong`,
      columns,
    ),
  );
  return [
    [paint("bold", "Data sets"), ...list, ...(observer === null ? [] : [`  observer: ${observer}`])].join(
      "\n",
    ),
    describeMatrix(transfer, "accuracy_probe", paint),
    describeMatrix(transfer, "se_probe", paint),
    describeMeans(transfer, { paint, columns }),
    ...describeWarnings(warnings, paint, columns),
  ].join("\n\n");
}

function describeMatrix(transfer: TransferEval, probe: TransferProbe, paint: Paint): string {
  const { datasets, matrix, leave_one_out: pooled, untrained } = transfer;
  const header = [
    "  trained on \\ tried on".padEnd(NAME_WIDTH),
    ...datasets.map((_, i) => String(i + 1).padStart(CELL_WIDTH)),
  ];
  const row = (name: string, areas: readonly (number | null)[]): string =>
    [`  ${name}`.padEnd(NAME_WIDTH), ...areas.map((area) => formatNumber(area).padStart(CELL_WIDTH))].join(
      "",
    );
  const areaOf = (cell: TransferCell | undefined): number | null => cell?.[probe].auc ?? null;
  return [
    paint("bold", `${TRANSFER_PROBE_TITLES[probe]}: AUROC for wrong answers`),
    paint("gray", header.join("")),
    ...datasets.map(({ name: source }, i) =>
      row(
        String(i + 1),
        datasets.map(({ name: target }) =>
          areaOf(matrix.find((cell) => cell.source === source && cell.target === target)),
        ),
      ),
    ),
    ...(pooled.length === 0
      ? []
      : [
          row(
            "all but the target",
            datasets.map(({ name }) => areaOf(pooled.find(({ target }) => target === name))),
          ),
        ]),
    ...(probe === "se_probe"
      ? UNTRAINED_SCORES.map((name) =>
          row(
            `(${UNTRAINED[name]})`,
            untrained.map((own) => own[name].auc),
          ),
        )
      : []),
  ].join("\n");
}

function describeMeans({ overall }: TransferEval, { paint, columns }: Look): string {
  const rows = TRANSFER_SETTINGS.map((setting) => {
    const own = overall[setting];
    const name = `  ${SETTINGS[setting]}`;
    const cells =
      own === null
        ? [name, "none"]
        : [
            name,
            formatNumber(own.se_probe?.estimate ?? null),
            formatNumber(own.accuracy_probe?.estimate ?? null),
            formatSigned(own.difference?.estimate ?? null),
            formatInterval(own.difference?.intervals ?? [], { decimals: 3, signed: true }),
          ];
    return layOutRow(cells, MEANS_WIDTHS, columns);
  });
  const header = paint("gray", layOutRow(MEANS_HEADER, MEANS_WIDTHS, columns));
  return [paint("bold", "Means over data sets"), header, ...rows].join("\n");
}

const NAME_WIDTH = 30;
const CELL_WIDTH = 8;

const UNTRAINED: Readonly<Record<UntrainedScore, string>> = {
  semantic_entropy: "semantic entropy",
  discrete_semantic_entropy: "discrete semantic entropy",
  mean_think_entropy: "mean think entropy",
};

const SETTINGS: Readonly<Record<TransferSetting, string>> = {
  in_distribution: "in distribution",
  single_source: "from another data set",
  leave_one_out: "from all other data sets",
};

// narrow terminals leave the last columns out
const MEANS_HEADER = ["  probes trained", "SE probe", "accuracy", "difference", "95% interval"];
const MEANS_WIDTHS = [NAME_WIDTH, 10, 10, 12, 18];
