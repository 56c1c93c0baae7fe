import type { ScoredQuestion } from "../serve/score-question.ts";
import { formatNumber, formatPEquation } from "../text/format-numbers.ts";
import { type Paint, wrap } from "./terminal.ts";

const RISKS = {
  incorrect: "that the answer is wrong",
  "high-semantic-entropy": "that the model's answers would disagree in meaning",
} as const satisfies Record<ScoredQuestion["risk_of"], string>;

/** One scored question for people. */
export function describeScore(scored: ScoredQuestion, paint: Paint, columns: number): string {
  const {
    answer,
    risk,
    score,
    risk_of,
    decision,
    abstain_reason,
    guarantee,
    read_at,
    familiarity,
    warnings,
  } = scored;
  const colour = decision === "abstain" ? "yellow" : "green";
  const where = read_at === null ? "" : `, read at ${read_at.position} ${JSON.stringify(read_at.token)}`;
  const rows: readonly (readonly [string, string])[] = [
    ["Answer", answer === null ? "not generated" : answer || "(empty)"],
    [
      "Risk",
      risk !== null
        ? `${formatNumber(risk)} ${RISKS[risk_of]} (score ${formatNumber(score)}${where})`
        : score !== null
          ? `not calibrated; score ${formatNumber(score)} ${RISKS[risk_of]}${where}`
          : "unknown",
    ],
    ...(familiarity === null ? [] : [["Question", describeFamiliarity(familiarity, paint)] as const]),
    [
      "Decision",
      decision === null
        ? "none"
        : paint(colour, `${decision}${abstain_reason === "unfamiliar" ? " (unfamiliar)" : ""}`),
    ],
  ];
  return [
    ...rows.map(([name, value]) => `${paint("bold", name.padEnd(NAME_WIDTH))}${value}`),
    ...[guarantee, ...warnings].flatMap((text) =>
      wrap(text, columns - NAME_WIDTH).map((line) => " ".repeat(NAME_WIDTH) + paint("gray", line)),
    ),
  ].join("\n");
}

function describeFamiliarity(
  { distance, p_value, is_unfamiliar }: NonNullable<ScoredQuestion["familiarity"]>,
  paint: Paint,
): string {
  const word = is_unfamiliar ? paint("yellow", "unfamiliar") : "familiar";
  return `${word} (${formatPEquation(p_value, null)}, distance ${formatNumber(distance, 1)} from the training states)`;
}

const NAME_WIDTH = 10;
