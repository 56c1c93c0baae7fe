import { normalizeAnswer } from "../text/open-answer.ts";
import { completeAll, type JudgeModel, type JudgeQuestion, parseJudgeReply } from "./judge-model.ts";

/** An answer that a judge compares with the reference answers. */
interface JudgedAnswer {
  readonly question: string;
  /** The text that the question is about, where there is one. */
  readonly context?: string | undefined;
  /** The reference answer and its other accepted spellings. */
  readonly accepted: readonly string[];
  /** Answers that are known to be wrong. */
  readonly rejected?: readonly string[] | undefined;
  readonly answer: string;
}

/** The wording of {@link writeCorrectnessPrompt}, for the provenance of artifacts. */
export const CORRECTNESS_PROMPT = { name: "correctness", version: 1 } as const;

/**
 * Asks whether an answer means the same as a reference answer, in the words of the published code of semantic entropy. The
 * context and the wrong answers, which that code does not show, have lines of their own.
 * @see Farquhar et al. 2024, Methods, "Assessing accuracy"
 */
export function writeCorrectnessPrompt({
  question,
  context,
  accepted,
  rejected = [],
  answer,
}: JudgedAnswer): JudgeQuestion {
  const list = (answers: readonly string[]): string => JSON.stringify(answers.map(oneLine));
  const [only] = accepted;
  const isOne = accepted.length === 1;
  const opening = [
    ...(context === undefined ? [] : [`Context: ${oneLine(context)}`]),
    `We are assessing the quality of answers to the following question: ${oneLine(question)}`,
    isOne
      ? `The expected answer is: ${oneLine(only!)}.`
      : `The following are expected answers to this question: ${list(accepted)}.`,
    ...(rejected.length === 0
      ? []
      : [`The following answers to this question are wrong: ${list(rejected)}.`]),
    "The proposed answer is: ",
  ].join("\n");
  const task = `Within the context of the question, does the proposed answer mean the same as ${
    isOne ? "the expected answer" : "any of the expected answers"
  }? Respond only with yes or no.`;
  return { opening, prompt: `${opening}${oneLine(answer)}\n${task}` };
}

/** So that no answer can write lines of the prompt. */
const oneLine = (text: string): string => text.trim().replace(/\s+/g, " ");

/**
 * Whether answers are right. One in the words of a reference answer is right without asking.
 * @returns [N] null where the judge's reply is neither yes nor no, or where it would rather say something else: guessing would
 *   make up a grade
 */
export async function judgeAnswers(
  judge: JudgeModel,
  answers: readonly JudgedAnswer[],
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<readonly (boolean | null)[]> {
  const isAsked = answers.map(({ answer, accepted }) => {
    const words = normalizeAnswer(answer);
    return !accepted.some((each) => normalizeAnswer(each) === words);
  });
  const prompts = answers.filter((_, i) => isAsked[i]).map(writeCorrectnessPrompt);
  const replies = await completeAll(judge, prompts, {
    labels: LABELS,
    leastProbability: LEAST_PROBABILITY,
    signal,
  });
  let next = 0;
  return isAsked.map((asked) => {
    if (!asked) return true;
    const label = parseJudgeReply(replies[next++]!, LABELS);
    return label === null ? null : label === "yes";
  });
}

const LABELS = ["yes", "no"] as const;
/** Below one half, the model is likelier to begin its reply with another word than with yes or no. */
const LEAST_PROBABILITY = 0.5;
