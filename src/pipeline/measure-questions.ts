import { chooseEstimates, type EstimateChoice } from "../entropy/estimates/estimate-registry.ts";
import type { SeModeName } from "../entropy/se-mode.ts";
import { SepError } from "../errors.ts";
import type { Equivalence } from "../meaning/equivalence.ts";
import type { Json } from "../store/json.ts";
import { describeProblems, type LineProblem, writeJsonl } from "../store/jsonl.ts";
import { findEntropyWarnings } from "./entropy-warnings.ts";
import { estimateQuestions, type GroupedQuestion } from "./estimate-questions.ts";
import { type AnsweredQuestion, groupQuestions } from "./group-questions.ts";
import type { StepEvent, StepOutcome } from "./step.ts";

/** Which numbers are computed of grouped samples. */
export interface EstimateOptions {
  /** Which estimates; semantic entropies always are. */
  readonly estimates?: EstimateChoice | undefined;
  /** See `EstimateQuestionsOptions`. */
  readonly seMode?: SeModeName | undefined;
  /** Milliseconds, for what each estimate takes; only differences count. */
  readonly now?: (() => number) | undefined;
}

/** Questions with their samples, as a file had them. */
export interface MeasuredQuestions {
  readonly path: string;
  readonly questions: readonly AnsweredQuestion[];
  readonly problems: readonly LineProblem[];
  readonly duplicates: readonly LineProblem[];
}

/**
 * What of the options decides the output, for the manifest.
 * @throws SepError `bad-option` for an estimate that there is not
 */
export const describeEstimates = ({
  estimates = "default",
  seMode,
}: EstimateOptions): Record<string, Json> => ({
  estimates: chooseEstimates(estimates).map(({ name }) => name),
  se_mode: seMode ?? null,
});

/**
 * The body of a step that groups samples by meaning, computes estimates and writes them, a question a line.
 * @param input questions with fewer than two samples are left out and counted
 * @throws SepError `too-few-questions` if none has two; `bad-option` as `estimateQuestions`
 */
export async function* measureQuestions(
  input: MeasuredQuestions,
  equivalence: Equivalence,
  {
    part,
    output,
    now = () => performance.now(),
    ...options
  }: EstimateOptions & { readonly part: string; readonly output: string },
): AsyncGenerator<StepEvent, StepOutcome> {
  const questions = input.questions.filter(({ runIds }) => runIds.length >= MIN_SAMPLES);
  if (questions.length === 0) throw tooFewQuestions(input);
  const at = { step: "entropy", part } as const;
  const total = questions.length;
  yield { kind: "started", ...at, unit: "question", done: 0, total };
  const grouped: GroupedQuestion[] = [];
  for await (const question of groupQuestions(questions, equivalence)) {
    grouped.push(question);
    yield { kind: "advanced", ...at, done: grouped.length, total };
  }
  const {
    records,
    costs,
    warnings: own,
  } = estimateQuestions(grouped, { ...options, equivalence: equivalence.name, now });
  if (options.estimates !== undefined && options.estimates !== "default")
    yield { kind: "estimates", ...at, questions: total, costs };
  const { problems, duplicates } = input;
  const tooFewSamples = input.questions.length - total;
  const warnings = [...findEntropyWarnings(records, { problems, duplicates, tooFewSamples }), ...own];
  for (const warning of warnings) yield { kind: "warning", ...at, warning };

  await writeJsonl(output, records);
  const answers = records.flatMap((record) => record.answers);
  const counts = {
    questions: total,
    runs: answers.length,
    no_answer: answers.filter((answer) => answer === null).length,
    bad_lines: problems.length,
    duplicate_runs: duplicates.length,
    questions_with_too_few_samples: tooFewSamples,
  };
  return { counts, warnings };
}

/** One sample cannot disagree with itself: its entropy is 0 whatever the model knows. */
const MIN_SAMPLES = 2;

function tooFewQuestions({ path, questions, problems }: MeasuredQuestions): SepError {
  const runs = questions.reduce((sum, { runIds }) => sum + runIds.length, 0);
  return new SepError(
    "too-few-questions",
    `No question in ${path} has ${MIN_SAMPLES} samples, got ${runs} usable runs of ` +
      `${questions.length} questions. ${problems.length > 0 ? `${describeProblems(problems)}. ` : ""}` +
      "Sample more with `sep generate --runs`.",
  );
}
