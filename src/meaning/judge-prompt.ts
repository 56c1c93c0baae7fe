/** The words that a judge may answer with. */
export const JUDGE_LABELS = ["entailment", "neutral", "contradiction", "yes", "no"] as const;
export type JudgeLabel = (typeof JUDGE_LABELS)[number];

/**
 * How a language model is asked about two answers: `entailment`, whether the first entails the second, and then the
 * other way round, in the words of the semantic entropy papers; `yes-no`, once, whether they mean the same.
 */
export const JUDGE_PROMPTS = ["entailment", "yes-no"] as const;
export type JudgePromptName = (typeof JUDGE_PROMPTS)[number];

export interface JudgePrompt {
  readonly name: JudgePromptName;
  /** Goes up whenever its words change. */
  readonly version: number;
  readonly labels: readonly JudgeLabel[];
  /** Whether the two answers have to be asked about in both orders. */
  readonly isDirected: boolean;
  write(question: string, first: string, second: string): string;
}

/** @see Farquhar et al. 2024, Methods, for the words of `entailment` */
export function judgePrompt(name: JudgePromptName): JudgePrompt {
  return PROMPTS[name];
}

const introduce = (question: string, first: string, second: string): string =>
  `We are evaluating answers to the question "${question}"\n` +
  `Here are two possible answers:\nPossible Answer 1: ${first}\nPossible Answer 2: ${second}\n`;

const PROMPTS: Readonly<Record<JudgePromptName, JudgePrompt>> = {
  entailment: {
    name: "entailment",
    version: 1,
    labels: ["entailment", "neutral", "contradiction"],
    isDirected: true,
    write: (...of) =>
      `${introduce(...of)}Does Possible Answer 1 semantically entail Possible Answer 2? ` +
      "Respond with entailment, contradiction, or neutral.",
  },
  "yes-no": {
    name: "yes-no",
    version: 1,
    labels: ["yes", "no"],
    isDirected: false,
    write: (...of) =>
      `${introduce(...of)}Do Possible Answer 1 and Possible Answer 2 mean the same? Respond with yes or no.`,
  },
};
