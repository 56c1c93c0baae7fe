/**
 * Who answers: a small model if the score of its answer is at most `threshold`, else a large one. Plain data, as in JSON.
 */
export interface RouteThreshold {
  /** Largest share of wrong answers, whoever gives them; in (0, 1). */
  readonly target: number;
  /** In the units of the score itself; higher scores are more uncertain. */
  readonly threshold: number;
  /** What the calibration questions bound the risk by; at most the target. */
  readonly bound: number;
  /** One sentence for people. */
  readonly guarantee: string;
  /** Independent questions that the threshold was chosen on. */
  readonly calibration_questions: number;
}

/** A threshold, or why there is none. */
export type RouteChoice =
  | { readonly threshold: RouteThreshold; readonly reason: null }
  | { readonly threshold: null; readonly reason: string };

/** Answers of the small model, and what the large one answers to the same questions. */
export interface RouteRows {
  /** [n] higher = more uncertain; a row where it is NaN is always escalated */
  readonly scores: ArrayLike<number>;
  /** [n] 1 = the small model's answer is wrong */
  readonly smallIncorrect: ArrayLike<number>;
  /** [n] share of the large model's answers to the row's question that are wrong, in [0, 1] */
  readonly largeIncorrect: ArrayLike<number>;
  /** [n] rows of a question stay together */
  readonly questionIds: readonly string[];
}

/** Sums of shares in another order may differ in the last bits; a bound that is met exactly must count as met. */
const ROUNDING = 1e-9;

/**
 * Chooses from what score on a question is escalated, on questions that nothing else was fitted on, by conformal risk
 * control. A question's loss is the share of wrong answers to it, whoever gives them. It need not fall when more is
 * escalated, since the large model may be wrong where the small one is right; the theorem wants a loss that does, so each
 * question counts with the largest loss that it has at this threshold or any lower one. With Q questions, the threshold is
 * the highest score at which (sum of losses + 1) / (Q + 1) is at most the target.
 * @returns the reason where no threshold meets the target
 * @throws RangeError for a target outside (0, 1)
 * @see Angelopoulos, Bates, Fisch, Lei and Schuster 2024, "Conformal risk control", theorem 1, and section 2.3 on losses
 *   that are not monotone
 */
export function chooseRouteThreshold(rows: RouteRows, target: number): RouteChoice {
  if (!(target > 0 && target < 1)) throw new RangeError(`The target risk is ${target}, outside (0, 1).`);
  const { base, steps, questions } = lossesByThreshold(rows);
  const needed = Math.ceil(1 / target - ROUNDING) - 1;
  const none = (reason: string): RouteChoice => ({ threshold: null, reason });
  if (questions < needed)
    return none(
      `${questions} calibration questions are too few to promise a risk of ${target}: at least ${needed} are needed.`,
    );
  const boundOf = (loss: number): number => (loss + 1) / (questions + 1);
  const meets = (loss: number): boolean => boundOf(loss) <= target + ROUNDING;
  if (!meets(base))
    return none(
      `The large model alone is wrong on ${percent(base / questions)} of the ${questions} calibration questions, so that no route can promise a risk of ${target}.`,
    );
  const found = steps.findLast(({ loss }) => meets(loss));
  if (found === undefined)
    return none(
      steps.length === 0
        ? "No calibration answer has this score."
        : `Only asking the large model every question keeps a risk of ${target}: even the small model's least uncertain answers are wrong too often.`,
    );
  return {
    threshold: {
      target,
      threshold: found.score,
      bound: boundOf(found.loss),
      guarantee: `For a new question drawn like the ${questions} calibration questions (exchangeable with them), the expected share of wrong answers, whoever gives them, is at most ${target}; the expectation is over both the new question and the calibration questions.`,
      calibration_questions: questions,
    },
    reason: null,
  };
}

const percent = (share: number): string => `${(100 * share).toFixed(1)}%`;

interface RouteLosses {
  /** Sum over questions of the loss if everything is escalated. */
  readonly base: number;
  /** Each distinct score, ascending, with the sum of the questions' largest losses up to that threshold. */
  readonly steps: readonly { readonly score: number; readonly loss: number }[];
  readonly questions: number;
}

function lossesByThreshold({ scores, smallIncorrect, largeIncorrect, questionIds }: RouteRows): RouteLosses {
  const rowsOf = new Map<string, number[]>();
  questionIds.forEach((question, row) => {
    const own = rowsOf.get(question);
    if (own === undefined) rowsOf.set(question, [row]);
    else own.push(row);
  });
  let base = 0;
  /** By score: how much the sum grows there. */
  const growth = new Map<number, number>();
  for (const rows of rowsOf.values()) {
    let loss = rows.reduce((sum, row) => sum + largeIncorrect[row]!, 0) / rows.length;
    let largest = loss;
    base += loss;
    const answered = rows.filter((row) => !Number.isNaN(scores[row])).sort((a, b) => scores[a]! - scores[b]!);
    for (const [place, row] of answered.entries()) {
      const score = scores[row]!;
      loss += (smallIncorrect[row]! - largeIncorrect[row]!) / rows.length;
      // rows of one score are answered together
      const isTied = place + 1 < answered.length && scores[answered[place + 1]!] === score;
      const rise = isTied ? 0 : Math.max(0, loss - largest);
      largest += rise;
      growth.set(score, (growth.get(score) ?? 0) + rise);
    }
  }
  let loss = base;
  const steps = [...growth]
    .sort(([a], [b]) => a - b)
    .map(([score, rise]) => {
      loss += rise;
      return { score, loss };
    });
  return { base, steps, questions: rowsOf.size };
}
