import { normalQuantile } from "../math/distributions.ts";

/** What a split is large enough to detect. */
export interface PowerEvaluation {
  /** Of the one-sided test that AUROC is above chance. */
  readonly level: number;
  /** Probability that the test detects an AUROC of `smallest_auc`. */
  readonly power: number;
  /** The smallest AUROC with that power; null where none below 1 has it. */
  readonly smallest_auc: number | null;
  /** How alike the labels of a question are: 0 as alike as those of different questions, 1 all the same. */
  readonly label_correlation: number;
  /** Rows that count as much as one independent row. */
  readonly design_effect: number;
}

const LEVEL = 0.05;
const POWER = 0.8;
const HALVINGS = 60;

/**
 * Standard error of an AUROC from independent rows.
 * @param auroc in [0, 1]
 * @see Hanley and McNeil 1982, "The meaning and use of the area under a ROC curve", equation 1
 */
export function hanleyMcNeilError(auroc: number, positives: number, negatives: number): number {
  const q1 = auroc / (2 - auroc);
  const q2 = (2 * auroc ** 2) / (1 + auroc);
  const variance =
    (auroc * (1 - auroc) + (positives - 1) * (q1 - auroc ** 2) + (negatives - 1) * (q2 - auroc ** 2)) /
    (positives * negatives);
  return Math.sqrt(variance);
}

/**
 * The smallest AUROC that a one-sided test at 5% detects with 80% power, on as many questions with these labels. Rows of
 * a question count less than independent ones, by a factor 1 + (m - 1) · correlation of their labels, with m the mean
 * number of rows in a row's question. This assumes the same score for all rows of a question: it is exact for semantic
 * entropy and for probes before generation, and never too optimistic.
 * @param labels [n]
 * @returns null with one class, or fewer than two questions
 * @see Hanley and McNeil 1982; for the design effect, Scott and Holt 1982, "The effect of two-stage sampling on
 * ordinary least squares methods"
 */
export function evaluatePower(
  labels: ArrayLike<number>,
  questionIds: readonly string[],
): PowerEvaluation | null {
  const groups = groupLabels(labels, questionIds);
  const positives = groups.reduce((sum, { ones }) => sum + ones, 0);
  const negatives = labels.length - positives;
  if (groups.length < 2 || positives === 0 || negatives === 0) return null;
  const size = groups.reduce((sum, group) => sum + group.size ** 2, 0) / labels.length;
  const correlation = labelCorrelation(groups, labels.length, positives);
  const effect = 1 + (size - 1) * correlation;
  return {
    level: LEVEL,
    power: POWER,
    smallest_auc: smallestAuroc(positives / effect, negatives / effect),
    label_correlation: correlation,
    design_effect: effect,
  };
}

/** @returns null where even an AUROC near 1 has less power */
function smallestAuroc(positives: number, negatives: number): number | null {
  // Fewer than one effective positive or negative: the formula's variance is meaningless there.
  if (positives < 1 || negatives < 1) return null;
  const critical = normalQuantile(1 - LEVEL) * hanleyMcNeilError(0.5, positives, negatives);
  const reaches = (auroc: number): boolean =>
    auroc - 0.5 >= critical + normalQuantile(POWER) * hanleyMcNeilError(auroc, positives, negatives);
  let low = 0.5;
  let high = 1;
  if (!reaches(high)) return null;
  for (let i = 0; i < HALVINGS; i++) {
    const middle = (low + high) / 2;
    if (reaches(middle)) high = middle;
    else low = middle;
  }
  return high;
}

interface LabelGroup {
  size: number;
  ones: number;
}

function groupLabels(labels: ArrayLike<number>, questionIds: readonly string[]): LabelGroup[] {
  const groups = new Map<string, LabelGroup>();
  questionIds.forEach((question, row) => {
    const group = groups.get(question) ?? { size: 0, ones: 0 };
    group.size++;
    group.ones += labels[row]!;
    groups.set(question, group);
  });
  return [...groups.values()];
}

/**
 * Intraclass correlation by analysis of variance, from 0; 1 where no question has two rows, which leaves the design
 * effect at 1.
 * @see Donner and Koval 1980, "The estimation of intraclass correlation in the analysis of family data"
 */
function labelCorrelation(groups: readonly LabelGroup[], rows: number, positives: number): number {
  const within = rows - groups.length;
  if (within === 0) return 1;
  const grand = positives / rows;
  const sumBetween = groups.reduce((sum, { size, ones }) => sum + size * (ones / size - grand) ** 2, 0);
  const sumWithin = groups.reduce((sum, { size, ones }) => sum + (ones * (size - ones)) / size, 0);
  const meanBetween = sumBetween / (groups.length - 1);
  const meanWithin = sumWithin / within;
  const typical = (rows - groups.reduce((sum, { size }) => sum + size ** 2, 0) / rows) / (groups.length - 1);
  const spread = meanBetween + (typical - 1) * meanWithin;
  return spread > 0 ? Math.min(1, Math.max(0, (meanBetween - meanWithin) / spread)) : 1;
}
