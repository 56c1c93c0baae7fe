import { readFile } from "node:fs/promises";
import { relative, resolve } from "node:path";
import { requirePart } from "../../backends/load-backend.ts";
import type { ExitScore } from "../../study/exit/exit-chains.ts";
import { openBackend } from "../../study/open-backends.ts";
import { ANSWERING_MODEL } from "../../study/settings/backends.ts";
import { EXIT_SETTINGS, FORCE_SETTINGS } from "../../study/settings/exit.ts";
import { SPLIT } from "../../study/settings/probes.ts";
import { SEEDS } from "../../study/settings/sampling.ts";
import type { SettingsOutput } from "../../study/settings/setting.ts";
import { type ExitPolicy, type FittedExit, fitExit } from "../../study/steps/fit-exit.ts";
import { forceAnswers } from "../../study/steps/force-answers.ts";
import { openWorkspace, type Workspace } from "../../study/workspace.ts";
import { formatNumber, formatOfHundred, formatPercent } from "../../text/format-numbers.ts";
import { type CliContext, type Command, defineCommand } from "../command.ts";
import { CONFIG, OUTPUT } from "../common-settings.ts";
import { EXIT as CODES } from "../exit.ts";
import { runSteps, type Steps } from "../run-steps.ts";
import { describeWarnings, hang, type Look, layOutRow, lookOf, wrap } from "../terminal.ts";

const OPTIONS = {
  ...ANSWERING_MODEL,
  ...FORCE_SETTINGS,
  ...EXIT_SETTINGS,
  ...SPLIT,
  ...SEEDS,
  ...CONFIG,
  ...OUTPUT,
};

type Values = SettingsOutput<typeof OPTIONS>;

/** When to leave a chain of reasoning. */
export const EXIT: Command = defineCommand({
  name: "exit",
  summary: "find when to leave a chain of reasoning early, artifacts/exit.json",
  options: OPTIONS,
  examples: [
    { line: "sep exit", meaning: "after `sep trace --positions step-end` in the same folder" },
    {
      line: "sep exit --target-risk 0.02 --promise expected",
      meaning: "stopping may harm 2% of the chains on average",
    },
  ],
  async run(values, context) {
    const steps = (workspace: Workspace): Steps => exitSteps(workspace, values, context);
    await runSteps(values, context, steps, ["exit"]);
    if (values.json || values.quiet) return CODES.ok;
    const { exit } = openWorkspace(resolve(values.out));
    const found = JSON.parse(await readFile(exit, "utf8")) as FittedExit;
    const text = describeExit(found, lookOf(context.stdout, context));
    context.stdout.write(`\n${text}\n\nData    ${relative(process.cwd(), exit)}\n`);
    return CODES.ok;
  },
});

async function* exitSteps(workspace: Workspace, values: Values, { signal, env }: CliContext): Steps {
  const { root } = workspace;
  await using opened = yield* openBackend(values, { root, hub: { env }, signal, step: "generate" });
  const model = requirePart(opened, "answers");
  return [
    yield* forceAnswers(workspace, "math", { ...values, model, signal }),
    yield* fitExit(workspace, { ...values, signal }),
  ];
}

/** What was found as tables for people. */
export function describeExit(
  { targets, chains, settlement, policies, warnings }: FittedExit,
  { paint, columns }: Look,
): string {
  const promised =
    targets.promise === "realized" ? `, with ${formatPercent(targets.confidence)} confidence` : "";
  const own = (action: ExitPolicy["action"]): readonly ExitPolicy[] =>
    policies.filter((policy) => policy.action === action);
  const say = (text: string): string[] => hang(text, columns);
  const table = (action: ExitPolicy["action"], title: string): string =>
    [
      ...wrap(title, columns).map((line) => paint("bold", line)),
      paint("gray", layOutRow(["", "test", "resplits"], GROUP_WIDTHS, columns)),
      paint("gray", layOutRow(HEADER, WIDTHS, columns)),
      ...own(action).map((policy) => layOutRow(cellsOf(policy), WIDTHS, columns)),
      ...explainFirst(own(action)).flatMap(say),
      ...[...new Set(own(action).flatMap(({ reason }) => reason ?? []))].flatMap((reason) =>
        say(`No threshold. ${reason}`).map((line) => paint("gray", line)),
      ),
    ].join("\n");
  return [
    [
      paint("bold", "Chains"),
      ...say(
        `${chains.train} for training, ${chains.validation} for calibration, ${chains.test} for testing${chains.censored === 0 ? "" : `; ${chains.censored} cut off and left out`}`,
      ),
      ...say(
        `answers were settled after ${formatPercent(settlement.mean_share)} of the tokens on average, and in ${formatPercent(settlement.settled_within / settlement.chains)} of the chains before the reasoning ended`,
      ),
      ...say(
        `stopping each chain exactly there would save ${formatPercent(settlement.most_saved, 1)} of the tokens; stopping earlier changes answers`,
      ),
    ].join("\n"),
    table(
      "stop",
      `Stop and answer: harm to at most ${formatPercent(targets.stop, 1)} of the chains${promised}`,
    ),
    table(
      "give-up",
      `Give up: harm to at most ${formatPercent(targets.give_up, 1)} of the chains${promised}`,
    ),
    ...describeWarnings(warnings, paint, columns),
  ].join("\n\n");
}

/** The first policy that acts at all, in words. */
function explainFirst(policies: readonly ExitPolicy[]): string[] {
  const policy = policies.find(({ threshold }) => threshold !== null);
  if (policy === undefined) return [];
  const { tokens_saved: saved, risk } = policy.test;
  const harmed = risk === null ? "" : `, and of 100 chains ${formatOfHundred(risk)} are harmed`;
  return [`By "${SCORES[policy.score]}": of 100 tokens ${formatOfHundred(saved)} are saved${harmed}.`];
}

/** A policy without a threshold never acts: its zeros would look like a result. */
const cellsOf = ({ score, auroc, threshold, test, resplits }: ExitPolicy): string[] => [
  `  ${SCORES[score]}`,
  formatNumber(auroc),
  // counts are negated in the file, where a lower score acts sooner: of tokens, and of equal answers in a row
  threshold !== null && (score === "budget" || score === "agreement")
    ? String(-threshold)
    : formatNumber(threshold),
  ...(threshold === null ? ["", ""] : [test.tokens_saved, test.risk].map(percent)),
  ...(resplits.share_without_threshold === 1
    ? ["", "", ""]
    : [resplits.tokens_saved.mean, resplits.risk.mean, resplits.share_held].map(percent)),
];

const percent = (share: number | null): string => formatPercent(share, 1);

const SCORES = {
  "settled-probe": "probe: settled",
  "right-probe": "probe: right",
  entropy: "entropy of the answer",
  confidence: "confidence of the answer",
  agreement: "same answer as before",
  budget: "fixed budget",
  "ends-wrong-probe": "probe: ends wrong",
} as const satisfies Record<ExitScore, string>;

/** Narrow terminals leave the last columns out. */
const HEADER = ["", "AUROC", "threshold", "saved", "harm", "saved", "harm", "held"];
const WIDTHS = [27, 6, 10, 7, 7, 9, 7, 7];
/** Of what a test and resplits have in common. */
const GROUP_WIDTHS = [43, 14, 23];
