import { type AnswerFacts, MEASURED_NAMES } from "../../src/evaluation/baseline-scores.ts";
import { normalQuantile } from "../../src/math/distributions.ts";
import { logistic } from "../../src/math/logistic.ts";
import { createRng, type Rng } from "../../src/math/rng.ts";

/** What may give the label away without the model knowing anything. */
export type Shortcut = "none" | "copied token" | "length shift" | "shared question";

/** Answers to training and test questions, and the questions' texts. */
export interface SimulatedStudy {
  readonly train: AnswerFacts;
  readonly test: AnswerFacts;
  readonly trainTexts: ReadonlyMap<string, string>;
  readonly testTexts: ReadonlyMap<string, string>;
}

const TRAIN = 70;
const TEST = 40;
const ANSWERS = 4;

/**
 * A study whose questions and answers are random words, so that neither texts nor lengths say anything about what is wrong, except by
 * the shortcut. Answers of a question share its difficulty, which the model's confidence reflects.
 */
export function simulateAnswers(seed: number, shortcut: Shortcut): SimulatedStudy {
  const rng = createRng("simulated-answers", seed, shortcut);
  const train = makeQuestions(TRAIN, "train", rng);
  const test = makeQuestions(TEST, "test", rng);
  if (shortcut === "shared question") for (let i = 0; i < 3; i++) test[i]!.text = train[10 * i]!.text;
  const textsOf = (questions: readonly SimulatedQuestion[]): Map<string, string> =>
    new Map(questions.map(({ id, text }) => [id, text]));
  return {
    train: answerAll(train, shortcut, rng),
    test: answerAll(test, shortcut, rng),
    trainTexts: textsOf(train),
    testTexts: textsOf(test),
  };
}

interface SimulatedQuestion {
  readonly id: string;
  text: string;
  readonly difficulty: number;
}

const gaussian = (rng: Rng): number => normalQuantile(Math.min(Math.max(rng.next(), 1e-12), 1 - 1e-12));

const words = (count: number, rng: Rng): string =>
  Array.from({ length: count }, () => `w${rng.integer(400).toString(36)}x`).join(" ");

const makeQuestions = (count: number, name: string, rng: Rng): SimulatedQuestion[] =>
  Array.from({ length: count }, (_, q) => ({
    id: `${name}-${q}`,
    text: words(6 + rng.integer(10), rng),
    difficulty: gaussian(rng),
  }));

function answerAll(questions: readonly SimulatedQuestion[], shortcut: Shortcut, rng: Rng): AnswerFacts {
  const rows = questions.flatMap((question) =>
    Array.from({ length: ANSWERS }, () => {
      const wrong = rng.next() < logistic(1.5 * question.difficulty) ? 1 : 0;
      const longer = shortcut === "length shift" && wrong === 1 ? 6 : 0;
      const copied = shortcut === "copied token" && rng.next() < (wrong === 1 ? 0.9 : 0.05);
      const length = 8 + rng.integer(8) + longer;
      const confidence = question.difficulty + gaussian(rng);
      return {
        question,
        wrong,
        text: `${words(length, rng)}${copied ? " zqz" : ""}`,
        measured: {
          question_length: question.text.length,
          answer_length: length,
          first_token_entropy: Math.exp(0.3 * question.difficulty + 0.3 * gaussian(rng)),
          mean_think_entropy: Number.NaN,
          naive_entropy: Number.NaN,
          p_false: Number.NaN,
          answer_nll: length * Math.exp(0.3 * confidence),
          mean_nll: Math.exp(0.3 * confidence),
          max_nll: 2 * Math.exp(0.3 * confidence),
          mean_token_entropy: Math.exp(0.3 * confidence + 0.2 * gaussian(rng)),
          max_token_entropy: 2 * Math.exp(0.3 * confidence + 0.2 * gaussian(rng)),
        },
      };
    }),
  );
  return {
    questionGroups: rows.map(({ question }) => question.id),
    incorrect: Uint8Array.from(rows, ({ wrong }) => wrong),
    questionTexts: rows.map(({ question }) => question.text),
    answerTexts: rows.map(({ text }) => text),
    measured: Object.fromEntries(
      MEASURED_NAMES.map((name) => [name, Float64Array.from(rows, ({ measured }) => measured[name])]),
    ) as AnswerFacts["measured"],
  };
}
