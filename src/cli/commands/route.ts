import { readFile } from "node:fs/promises";
import { relative, resolve } from "node:path";
import type { AchievedRoute, RivalRoute, RivalRouter } from "../../evaluation/evaluate-route.ts";
import { ROUTE_SETTINGS } from "../../study/settings/route.ts";
import { SEED } from "../../study/settings/sampling.ts";
import { operand } from "../../study/settings/setting.ts";
import { type FittedRoute, fitRoute } from "../../study/steps/fit-route.ts";
import { openWorkspace, type Workspace } from "../../study/workspace.ts";
import {
  formatInterval,
  formatNumber,
  formatOfHundred,
  formatPercent,
  formatPValue,
  formatSigned,
} from "../../text/format-numbers.ts";
import { type Command, defineCommand } from "../command.ts";
import { OUTPUT } from "../common-settings.ts";
import { EXIT } from "../exit.ts";
import { oneStep, runSteps, type Steps } from "../run-steps.ts";
import { describeWarnings, hang, type Look, layOutRow, lookOf } from "../terminal.ts";

/** A cascade of the study's model and a larger one. */
export const ROUTE: Command = defineCommand({
  name: "route",
  summary: "choose which answers a large model gives instead, artifacts/route.json",
  options: {
    large: operand(
      "FILE",
      "Graded answers of the large model to the same questions: the runs of another study, or of any tool; docs/import.md.",
    ),
    ...ROUTE_SETTINGS,
    ...SEED,
    ...OUTPUT,
  },
  examples: [
    {
      line: "sep route ../large/data/math_runs.jsonl --target-risk 0.2",
      meaning: "at most 20% wrong answers; an answer of the large model costs ten times as much",
    },
    {
      line: "sep route large.jsonl --cost-small 0.1 --cost-large 2.5 --cost-per token",
      meaning: "answers of a closed model, with prices per token",
    },
  ],
  async run(values, context) {
    const steps = (workspace: Workspace): Steps => oneStep(fitRoute(workspace, values));
    await runSteps(values, context, steps, ["route"]);
    if (values.json || values.quiet) return EXIT.ok;
    const { route } = openWorkspace(resolve(values.out));
    const found = JSON.parse(await readFile(route, "utf8")) as FittedRoute;
    const text = describeRoute(found, lookOf(context.stdout, context));
    context.stdout.write(`\n${text}\n\nData    ${relative(process.cwd(), route)}\n`);
    return EXIT.ok;
  },
});

/** A route as tables for people. */
export function describeRoute(route: FittedRoute, { paint, columns }: Look): string {
  const say = (text: string): string[] => hang(text, columns);
  const { threshold, reason, test, calibration, warnings } = route;
  const { question_count: questions, small_risk, large_risk } = calibration;
  const head = [
    paint("bold", "Route"),
    ...say(
      `${questions} calibration questions: ${formatPercent(small_risk)} of the small model's answers are wrong, ${formatPercent(large_risk)} of the large one's`,
    ),
    ...say(
      threshold === null
        ? `none: ${reason}`
        : `escalate above score ${formatNumber(threshold.threshold, 4)}: at most ${formatPercent(threshold.target)} wrong answers, whoever gives them`,
    ),
  ].join("\n");
  const blocks = [head];
  if (test !== null) {
    blocks.push(
      [
        paint("bold", `Test: ${test.question_count} questions`),
        paint("gray", layOutRow(ACHIEVED_HEADER, ACHIEVED_WIDTHS, columns)),
        ...[
          achievedCells("small model alone", test.small_alone),
          achievedCells("this route", test.route),
          achievedCells("large model alone", test.large_alone),
        ].map((cells) => layOutRow(cells, ACHIEVED_WIDTHS, columns)),
        ...say(
          `This route: of 100 answers ${formatOfHundred(test.route.risk.estimate)} are wrong, and ${formatOfHundred(test.route.share_escalated.estimate)} come from the large model.`,
        ),
      ].join("\n"),
      [
        paint("bold", "Other routes at the same cost"),
        paint("gray", layOutRow(COMPARED_HEADER, COMPARED_WIDTHS, columns)),
        ...test.comparisons.map((each) => layOutRow(comparedCells(each, route), COMPARED_WIDTHS, columns)),
      ].join("\n"),
    );
  }
  const rest = warnings.filter(({ code }) => code !== "no-route");
  blocks.push(...describeWarnings(rest, paint, columns));
  return blocks.join("\n\n");
}

const achievedCells = (name: string, { risk, share_escalated, cost_per_answer }: AchievedRoute): string[] => [
  `  ${name}`,
  formatNumber(risk.estimate),
  formatInterval(risk.intervals),
  formatPercent(share_escalated.estimate),
  formatInterval(share_escalated.intervals),
  formatNumber(cost_per_answer.estimate, 2),
];

const comparedCells = (
  { router, risk, risk_difference, p_value, p_value_holm }: RivalRoute,
  { settings }: FittedRoute,
): string[] => [
  `  ${RIVALS[router]}`,
  formatNumber(risk),
  formatSigned(risk_difference.estimate),
  formatInterval(risk_difference.intervals, { decimals: 3, signed: true }),
  formatPValue(p_value, settings.permutations),
  formatPValue(p_value_holm, null),
];

const RIVALS = {
  random: "at random",
  length: "by answer length",
  mean_logprob: "by log-probability",
  token_entropy: "by token entropy",
} as const satisfies Record<RivalRouter, string>;

// narrow terminals leave the last columns out
const ACHIEVED_HEADER = ["", "wrong", "95% interval", "escalated", "95% interval", "cost"];
const ACHIEVED_WIDTHS = [21, 7, 16, 11, 16, 9];

const COMPARED_HEADER = ["  escalating", "wrong", "difference", "95% interval", "p", "Holm"];
const COMPARED_WIDTHS = [21, 7, 12, 20, 9, 9];
