import { dot, ruleX } from "@observablehq/plot";
import type { SplitScores } from "../evaluation/evaluate-split.ts";
import { formatNumber } from "../text/format-numbers.ts";
import { drawChart } from "./chart.ts";
import type { Figure } from "./figure.ts";

/** Each test question's semantic entropy against what the SE probe says of it from one forward pass. */
export function makeEntropyScatter(scores: SplitScores, threshold: number): Figure {
  const questions = averageQuestions(scores);
  const wrong = questions.filter(({ wrongShare }) => wrongShare > 0.5).length;
  const summary = `${questions.length} test questions; ${wrong} of them are mostly answered wrongly.`;
  const chart =
    questions.length === 0
      ? null
      : drawChart(`Semantic entropy against the SE probe's score. ${summary}`, {
          x: { label: "Discrete semantic entropy, nats", inset: 6 },
          y: { domain: [0, 1], label: "P(high entropy) by the SE probe", ticks: 5, grid: true },
          marks: [
            ruleX([threshold], { stroke: "var(--rule)", strokeWidth: 2 }),
            dot(questions, {
              x: "entropy",
              y: "probe",
              stroke: ({ wrongShare }: QuestionPoint) =>
                wrongShare > 0.5 ? "var(--series-2)" : "var(--series-1)",
              symbol: ({ wrongShare }: QuestionPoint) => (wrongShare > 0.5 ? "times" : "circle"),
              r: 3.5,
              strokeWidth: 1.5,
              title: ({ id }: QuestionPoint) => id,
            }),
          ],
          symbol: { domain: ["times", "circle"], range: ["times", "circle"] },
          color: { type: "identity" },
        });
  return {
    name: "entropy-against-se-probe",
    title: "Semantic entropy and the SE probe",
    heading: "Semantic entropy and the SE probe, test questions",
    chart,
    empty: "No test question has both.",
    legend:
      chart === null
        ? []
        : [
            { mark: { kind: "cross", color: "var(--series-2)" }, name: "Mostly answered wrongly", note: "" },
            { mark: { kind: "circle", color: "var(--series-1)" }, name: "Other questions", note: "" },
            {
              mark: { kind: "line", color: "var(--rule)", dash: "none" },
              name: "Threshold of high entropy",
              note: `${formatNumber(threshold)} nats`,
            },
          ],
    note: chart === null ? null : summary,
    below: null,
    data: {
      columns: ["question_id", "discrete_semantic_entropy", "se_probe", "incorrect_share"],
      rows: questions.map(({ id, entropy, probe, wrongShare }) => [id, entropy, probe, wrongShare]),
    },
  };
}

interface QuestionPoint {
  readonly id: string;
  readonly entropy: number;
  /** Mean of the probe over its answers. */
  readonly probe: number;
  readonly wrongShare: number;
}

function averageQuestions({
  questionIds,
  discreteSemanticEntropy,
  seProbe,
  incorrect,
}: SplitScores): QuestionPoint[] {
  const sums = new Map<string, { rows: number; entropy: number; probe: number; wrong: number }>();
  questionIds.forEach((id, row) => {
    const [entropy, probe] = [discreteSemanticEntropy[row]!, seProbe[row]!];
    if (Number.isNaN(entropy) || Number.isNaN(probe)) return;
    const sum = sums.get(id) ?? { rows: 0, entropy, probe: 0, wrong: 0 };
    sum.rows += 1;
    sum.probe += probe;
    sum.wrong += incorrect[row]!;
    sums.set(id, sum);
  });
  return [...sums].map(([id, { rows, entropy, probe, wrong }]) => ({
    id,
    entropy,
    probe: probe / rows,
    wrongShare: wrong / rows,
  }));
}
