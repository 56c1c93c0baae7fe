import { mean } from "../math/vector.ts";
import { isAnswered } from "../probes/choose-decision-threshold.ts";
import type { RouteRows } from "../probes/choose-route-threshold.ts";
import { type BootstrapResult, bootstrapInterval } from "./bootstrap-interval.ts";
import { holmCorrect, signFlipTest } from "./compare-scores.ts";
import type { InferenceOptions } from "./evaluate-score.ts";

/** What a route is held against: each escalates by another score, at the same cost. */
export const RIVAL_ROUTERS = ["random", "length", "mean_logprob", "token_entropy"] as const;
export type RivalRouter = (typeof RIVAL_ROUTERS)[number];

/** Rows with what each answer costs. */
export interface CostedRows extends RouteRows {
  /** [n] of the small model's answer */
  readonly smallCost: ArrayLike<number>;
  /** [n] of the large model's answer to the row's question */
  readonly largeCost: ArrayLike<number>;
}

/** What a way of answering achieves. Every question has equal weight, as in the guarantee. */
export interface AchievedRoute {
  /** Mean over questions of the share of wrong answers. */
  readonly risk: BootstrapResult;
  /** Mean over questions of the share of answers that the large model gives. */
  readonly share_escalated: BootstrapResult;
  readonly cost_per_answer: BootstrapResult;
}

/** A route against another one that costs the same on these questions. */
export interface RivalRoute {
  readonly router: RivalRouter;
  readonly risk: number;
  readonly share_escalated: number;
  /** Risk of the rival minus that of the route, paired by question: above 0, the route is better. */
  readonly risk_difference: BootstrapResult;
  /** Two-sided, for equal risks, by flipping the signs of the questions' differences; null for fewer than two questions. */
  readonly p_value: number | null;
  /** The same after Holm's correction for all comparisons. */
  readonly p_value_holm: number | null;
}

/** What a threshold achieves on questions that it was not chosen on. */
export interface RouteEvaluation {
  readonly question_count: number;
  readonly route: AchievedRoute;
  readonly small_alone: AchievedRoute;
  readonly large_alone: AchievedRoute;
  readonly comparisons: readonly RivalRoute[];
}

interface EvaluateRouteOptions extends Required<InferenceOptions> {
  /** The score is known before the small model answers, so that what is escalated costs no answer of it. */
  readonly isEarly: boolean;
}

/**
 * Evaluates a route, and others at the same cost per answer: by answer length and by output confidence, which escalate the
 * answers of the highest score, and at random, which needs no answer of the small model to decide. Where a score is tied at
 * the border, the tied answers are escalated in equal part.
 * @param rivals each [n], higher = more uncertain, NaN where it is not known
 */
export function evaluateRoute(
  threshold: number,
  rows: CostedRows,
  rivals: Readonly<Partial<Record<Exclude<RivalRouter, "random">, ArrayLike<number>>>>,
  { isEarly, resamples, permutations, seed }: EvaluateRouteOptions,
): RouteEvaluation {
  const { scores, questionIds } = rows;
  const count = questionIds.length;
  const inference = { seed, resamples };
  const byQuestion = createQuestionMeans(questionIds);
  const route: Escalation = {
    shares: Float64Array.from({ length: count }, (_, row) =>
      isAnswered({ threshold }, scores[row]!) ? 0 : 1,
    ),
    isEarly,
  };
  const achieve = (escalation: Escalation): AchievedRoute => {
    const interval = (values: Float64Array): BootstrapResult =>
      bootstrapMean(byQuestion.names, byQuestion.means(values), inference);
    return {
      risk: interval(risksOf(rows, escalation)),
      share_escalated: interval(escalation.shares),
      cost_per_answer: interval(costsOf(rows, escalation)),
    };
  };
  const always = (share: number): Escalation => ({
    shares: new Float64Array(count).fill(share),
    isEarly: true,
  });
  const budget = mean(byQuestion.means(costsOf(rows, route)));
  const own = byQuestion.means(risksOf(rows, route));
  const found = RIVAL_ROUTERS.flatMap((router) => {
    const score = router === "random" ? null : rivals[router];
    if (score === undefined) return [];
    const rival =
      score === null ? atRandom(rows, byQuestion, budget) : byScore(score, rows, byQuestion, budget);
    const risks = byQuestion.means(risksOf(rows, rival));
    const differences = risks.map((risk, question) => risk - own[question]!);
    return [
      {
        router,
        risk: mean(risks),
        share_escalated: mean(byQuestion.means(rival.shares)),
        risk_difference: bootstrapMean(byQuestion.names, differences, { ...inference, method: "percentile" }),
        p_value: signFlipTest(differences, { permutations, seed }),
      },
    ];
  });
  const corrected = holmCorrect(found.map(({ p_value }) => p_value));
  return {
    question_count: byQuestion.names.length,
    route: achieve(route),
    small_alone: achieve(always(0)),
    large_alone: achieve(always(1)),
    comparisons: found.map((each, i) => ({ ...each, p_value_holm: corrected[i]! })),
  };
}

/** Which answers the large model gives. */
interface Escalation {
  /** [n] in [0, 1]; a part where tied or random answers share what there is to spend */
  readonly shares: Float64Array;
  /** Decided before the small model answers. */
  readonly isEarly: boolean;
}

const risksOf = ({ smallIncorrect, largeIncorrect }: CostedRows, { shares }: Escalation): Float64Array =>
  shares.map((share, row) => (1 - share) * smallIncorrect[row]! + share * largeIncorrect[row]!);

const costsOf = ({ smallCost, largeCost }: CostedRows, { shares, isEarly }: Escalation): Float64Array =>
  shares.map((share, row) => (isEarly ? 1 - share : 1) * smallCost[row]! + share * largeCost[row]!);

function atRandom(rows: CostedRows, { means }: QuestionMeans, budget: number): Escalation {
  const [small, large] = [rows.smallCost, rows.largeCost].map((costs) =>
    mean(means(Float64Array.from(costs))),
  );
  const share = large! > small! ? Math.min(1, Math.max(0, (budget - small!) / (large! - small!))) : 1;
  return { shares: new Float64Array(rows.questionIds.length).fill(share), isEarly: true };
}

/** Escalates the answers of the highest score first, those without one before all. */
function byScore(
  scores: ArrayLike<number>,
  { smallCost, largeCost, questionIds }: CostedRows,
  { weights, means }: QuestionMeans,
  budget: number,
): Escalation {
  const keyOf = (row: number): number =>
    Number.isNaN(scores[row]) ? Number.POSITIVE_INFINITY : scores[row]!;
  const order = Array.from(questionIds.keys()).sort((a, b) =>
    keyOf(a) < keyOf(b) ? 1 : keyOf(a) > keyOf(b) ? -1 : 0,
  );
  const shares = new Float64Array(order.length);
  let left = budget - mean(means(Float64Array.from(smallCost)));
  for (let from = 0; from < order.length && left > 0; ) {
    let to = from;
    while (to < order.length && keyOf(order[to]!) === keyOf(order[from]!)) to++;
    const tied = order.slice(from, to);
    const cost = tied.reduce((sum, row) => sum + weights[row]! * largeCost[row]!, 0);
    const share = cost > 0 ? Math.min(1, left / cost) : 1;
    for (const row of tied) shares[row] = share;
    left -= cost;
    from = to;
  }
  return { shares, isEarly: false };
}

interface QuestionMeans {
  readonly names: readonly string[];
  /** [n] of each row in a mean over questions: one over the number of questions and of the question's rows */
  readonly weights: Float64Array;
  /** @returns [Q] each question's mean over its rows */
  means(values: Float64Array): Float64Array;
}

function createQuestionMeans(questionIds: readonly string[]): QuestionMeans {
  const places = new Map<string, number>();
  for (const id of questionIds) if (!places.has(id)) places.set(id, places.size);
  const counts = new Float64Array(places.size);
  for (const id of questionIds) counts[places.get(id)!]!++;
  return {
    names: [...places.keys()],
    weights: Float64Array.from(questionIds, (id) => 1 / (counts[places.get(id)!]! * places.size)),
    means(values) {
      const sums = new Float64Array(places.size);
      questionIds.forEach((id, row) => {
        const place = places.get(id)!;
        sums[place]! += values[row]! / counts[place]!;
      });
      return sums;
    },
  };
}

function bootstrapMean(
  questions: readonly string[],
  values: Float64Array,
  options: Parameters<typeof bootstrapInterval>[2],
): BootstrapResult {
  const weighted = (weights: Float64Array): number => {
    let total = 0;
    let count = 0;
    for (let i = 0; i < values.length; i++) {
      total += weights[i]! * values[i]!;
      count += weights[i]!;
    }
    return total / count;
  };
  return bootstrapInterval(questions, weighted, options);
}
