import { dot, rectY, ruleX, ruleY, text } from "@observablehq/plot";
import type { SplitScores } from "../evaluation/evaluate-split.ts";
import type { StudyScoreName } from "../evaluation/score-names.ts";
import { formatNumber } from "../text/format-numbers.ts";
import { drawChart } from "./chart.ts";
import type { Figure } from "./figure.ts";

const BIN_COUNT = 20;

/**
 * How many questions have which semantic entropy, with the threshold above which it counts as high.
 * @param entropies [Q] nats
 */
export function makeEntropyFigure(
  entropies: readonly number[],
  { method, threshold }: { readonly method: string; readonly threshold: number },
): Figure {
  const high = entropies.filter((entropy) => entropy > threshold).length;
  const agreeing = entropies.filter((entropy) => entropy === 0).length;
  const summary =
    `${entropies.length} questions: the samples of ${agreeing} all agree, and ${high} lie above the threshold of ` +
    `${formatNumber(threshold)} nats (${method}).`;
  const largest = Math.max(...entropies, threshold, 0.1);
  const step = largest / BIN_COUNT;
  const bins = binEntropies(entropies, step);
  const chart = drawChart(`Histogram of discrete semantic entropy. ${summary}`, {
    marginTop: 34,
    x: { label: "Discrete semantic entropy, nats", domain: [0, largest + step] },
    y: { label: "Questions", grid: true },
    marks: [
      rectY(bins, {
        x1: "from",
        x2: "to",
        y: "count",
        fill: "var(--series-4)",
        inset: 0.5,
      }),
      ruleY([0], { stroke: "currentColor" }),
      ruleX([threshold], { stroke: "currentColor", strokeWidth: 2 }),
      text([`threshold ${formatNumber(threshold, 2)}`], {
        x: [threshold],
        frameAnchor: "top",
        dy: -14,
        textAnchor: threshold > largest * 0.75 ? "end" : threshold < largest * 0.2 ? "start" : "middle",
        fill: "currentColor",
      }),
    ],
  });
  return {
    name: "entropy-histogram",
    title: "Semantic entropy of the questions",
    heading: "Semantic entropy of the in-distribution questions",
    chart: entropies.length === 0 ? null : chart,
    empty: "No question has semantic entropy.",
    legend:
      entropies.length === 0
        ? []
        : [
            {
              mark: { kind: "bar", color: "var(--series-4)" },
              name: "Questions",
              note: `in bins of ${formatNumber(step, 3)} nats`,
            },
            {
              mark: { kind: "line", color: "currentColor", dash: "none" },
              name: "Threshold of high entropy",
              note: `${formatNumber(threshold)} nats`,
            },
          ],
    note: entropies.length === 0 ? null : summary,
    below: null,
    data: {
      columns: ["from_nats", "to_nats", "questions"],
      rows: bins.map(({ from, to, count }) => [from, to, count]),
    },
  };
}

/** Counts in bins [i step, (i + 1) step). */
function binEntropies(
  entropies: readonly number[],
  step: number,
): { readonly from: number; readonly to: number; readonly count: number }[] {
  const counts = new Array<number>(BIN_COUNT + 1).fill(0);
  for (const entropy of entropies) {
    const bin = Math.min(Math.floor(entropy / step), BIN_COUNT);
    counts[bin] = counts[bin]! + 1;
  }
  return counts.map((count, bin) => ({ from: bin * step, to: (bin + 1) * step, count }));
}

/** Each test question's semantic entropy against what the SE probe says of it from one forward pass. */
export function makeEntropyScatter(scores: SplitScores<StudyScoreName>, threshold: number): Figure {
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
              stroke: ({ wrongShare }: QuestionPoint) => (wrongShare > 0.5 ? "var(--wrong)" : "var(--right)"),
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
    empty: "No test question has both a semantic entropy and a score.",
    legend:
      chart === null
        ? []
        : [
            { mark: { kind: "cross", color: "var(--wrong)" }, name: "Mostly answered wrongly", note: "" },
            { mark: { kind: "circle", color: "var(--right)" }, name: "Other questions", note: "" },
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

function averageQuestions({ questionIds, byName, incorrect }: SplitScores<StudyScoreName>): QuestionPoint[] {
  const sums = new Map<string, { rows: number; entropy: number; probe: number; wrong: number }>();
  questionIds.forEach((id, row) => {
    const [entropy, probe] = [byName.discrete_semantic_entropy[row]!, byName.se_probe[row]!];
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
