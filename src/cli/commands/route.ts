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
import { createPaint, describeWarnings, type Paint, wrap } from "../terminal.ts";

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
    const text = describeRoute(found, createPaint(context.stdout, context.env));
    context.stdout.write(`\n${text}\n\nData    ${relative(process.cwd(), route)}\n`);
    return EXIT.ok;
  },
});

/** A route as tables for people. */
export function describeRoute(route: FittedRoute, paint: Paint): string {
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
        paint("gray", ACHIEVED_HEADER),
        describeAchieved("small model alone", test.small_alone),
        describeAchieved("this route", test.route),
        describeAchieved("large model alone", test.large_alone),
        `  This route: of 100 answers ${formatOfHundred(test.route.risk.estimate)} are wrong, and ${formatOfHundred(test.route.share_escalated.estimate)} come from the large model.`,
      ].join("\n"),
      [
        paint("bold", "Other routes at the same cost"),
        paint("gray", COMPARED_HEADER),
        ...test.comparisons.map((each) => describeComparison(each, route)),
      ].join("\n"),
    );
  }
  const rest = warnings.filter(({ code }) => code !== "no-route");
  blocks.push(...describeWarnings(rest, paint));
  return blocks.join("\n\n");
}

/** Text within 80 columns, its further lines indented. */
const say = (text: string): string[] =>
  wrap(text, TEXT_WIDTH).map((line, i) => `  ${i === 0 ? "" : "  "}${line}`);

const describeAchieved = (name: string, { risk, share_escalated, cost_per_answer }: AchievedRoute): string =>
  [
    `  ${name}`.padEnd(NAME_WIDTH),
    formatNumber(risk.estimate).padStart(7),
    formatInterval(risk.intervals).padStart(16),
    formatPercent(share_escalated.estimate).padStart(11),
    formatInterval(share_escalated.intervals).padStart(16),
    formatNumber(cost_per_answer.estimate, 2).padStart(9),
  ].join("");

const describeComparison = (
  { router, risk, risk_difference, p_value, p_value_holm }: RivalRoute,
  { settings }: FittedRoute,
): string =>
  [
    `  ${RIVALS[router]}`.padEnd(NAME_WIDTH),
    formatNumber(risk).padStart(7),
    formatSigned(risk_difference.estimate).padStart(12),
    formatInterval(risk_difference.intervals, { decimals: 3, signed: true }).padStart(20),
    formatPValue(p_value, settings.permutations).padStart(9),
    formatPValue(p_value_holm, null).padStart(9),
  ].join("");

const RIVALS = {
  random: "at random",
  length: "by answer length",
  mean_logprob: "by log-probability",
  token_entropy: "by token entropy",
} as const satisfies Record<RivalRouter, string>;

const NAME_WIDTH = 21;
const TEXT_WIDTH = 76;

const ACHIEVED_HEADER = [
  "".padEnd(NAME_WIDTH),
  "wrong".padStart(7),
  "95% interval".padStart(16),
  "escalated".padStart(11),
  "95% interval".padStart(16),
  "cost".padStart(9),
].join("");

const COMPARED_HEADER = [
  "  escalating".padEnd(NAME_WIDTH),
  "wrong".padStart(7),
  "difference".padStart(12),
  "95% interval".padStart(20),
  "p".padStart(9),
  "Holm".padStart(9),
].join("");
