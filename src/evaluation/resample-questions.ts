import type { Rng } from "../math/rng.ts";

/** The rows of each question, ready to be drawn again and again. */
export interface QuestionResampler {
  readonly questionCount: number;
  /**
   * Draws as many questions as there are, with replacement.
   * @returns [n] how often each row was drawn, all rows of a question equally often; overwritten by the next call
   */
  draw(rng: Rng): Float64Array;
  /** @returns [n] 1 for every row but those of one question; overwritten by the next call */
  leaveOut(question: number): Float64Array;
}

/**
 * Resamples whole questions, since the answers to one question are not independent of each other.
 * @param questionIds [n] the question of each row
 */
export function createQuestionResampler(questionIds: readonly string[]): QuestionResampler {
  const places = new Map<string, number>();
  const questionOf = Int32Array.from(questionIds, (question) => {
    const place = places.get(question) ?? places.size;
    places.set(question, place);
    return place;
  });
  const questionCount = places.size;
  const drawn = new Int32Array(questionCount);
  const weights = new Float64Array(questionIds.length);
  const weigh = (): Float64Array => {
    for (let row = 0; row < weights.length; row++) weights[row] = drawn[questionOf[row]!]!;
    return weights;
  };
  return {
    questionCount,
    draw(rng) {
      drawn.fill(0);
      for (let draw = 0; draw < questionCount; draw++) drawn[rng.integer(questionCount)]!++;
      return weigh();
    },
    leaveOut(question) {
      drawn.fill(1);
      drawn[question] = 0;
      return weigh();
    },
  };
}
