import { logistic } from "../../src/math/logistic.ts";
import { createRng } from "../../src/math/rng.ts";
import { mean } from "../../src/math/vector.ts";
import { chooseRouteThreshold, type RouteRows } from "../../src/probes/choose-route-threshold.ts";

/** What a threshold achieves over many draws of its calibration questions. */
interface SimulatedRoutes {
  /** Over the resplits, of questions that the threshold was not chosen on. */
  readonly meanRisk: number;
  readonly standardError: number;
  /** Share of resplits within the target and twice the error of their own finite questions. */
  readonly held: number;
  /** Mean share of escalated answers. */
  readonly escalated: number;
}

interface SimulateOptions {
  readonly resplits: number;
  readonly calibration: number;
  readonly target: number;
  /** Added to the target before the threshold is chosen: what a wrong method would be off by. */
  readonly slack?: number;
}

const SAMPLES = 3;
const TEST_QUESTIONS = 400;

/**
 * Draws questions of different difficulty, whose answers by a small model are often wrong where they are difficult and by a
 * large one seldom, and in part where the small one is right; the score knows the difficulty but for some noise.
 */
export function simulateRoutes({
  resplits,
  calibration,
  target,
  slack = 0,
}: SimulateOptions): SimulatedRoutes {
  const risks: number[] = [];
  const shares: number[] = [];
  let held = 0;
  const error = 2 * Math.sqrt(target * (1 - target) * (1 / calibration + 1 / TEST_QUESTIONS));
  for (let split = 0; split < resplits; split++) {
    const { threshold } = chooseRouteThreshold(draw(split, "calibration", calibration), target + slack);
    const test = draw(split, "test", TEST_QUESTIONS);
    const limit = threshold?.threshold ?? Number.NEGATIVE_INFINITY;
    const isSmall = Array.from(test.scores, (score) => score <= limit);
    const risk = mean(
      isSmall.map((small, row) => (small ? test.smallIncorrect : test.largeIncorrect)[row] as number),
    );
    risks.push(risk);
    shares.push(mean(isSmall.map((small) => (small ? 0 : 1))));
    if (risk <= target + error) held += 1;
  }
  const meanRisk = mean(risks);
  const variance = mean(risks.map((risk) => (risk - meanRisk) ** 2));
  return {
    meanRisk,
    standardError: Math.sqrt(variance / resplits),
    held: held / resplits,
    escalated: mean(shares),
  };
}

function draw(split: number, part: string, questions: number): RouteRows {
  const rng = createRng("simulated-routes", part, split);
  const rows = { scores: [] as number[], smallIncorrect: [] as number[], largeIncorrect: [] as number[] };
  const questionIds: string[] = [];
  for (let q = 0; q < questions; q++) {
    const difficulty = 6 * rng.next() - 3;
    const large = rng.next() < 0.02 + 0.1 * logistic(difficulty) ? 1 : 0;
    for (let sample = 0; sample < SAMPLES; sample++) {
      questionIds.push(String(q));
      rows.scores.push(logistic(difficulty + 2 * (rng.next() - 0.5)));
      rows.smallIncorrect.push(rng.next() < logistic(1.5 * difficulty) ? 1 : 0);
      rows.largeIncorrect.push(large);
    }
  }
  return { ...rows, questionIds };
}
