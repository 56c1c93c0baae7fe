import { SepError } from "../../errors.ts";
import type { Json } from "../../formats/json.ts";
import { CORRECTNESS_PROMPT, judgeAnswers, writeCorrectnessPrompt } from "../../meaning/judge-correctness.ts";
import type { JudgeModel } from "../../meaning/judge-model.ts";
import { loadQuestions } from "../../samples/load-questions.ts";
import type { Question } from "../../samples/question.ts";
import type { RunRecord } from "../../samples/run-record.ts";
import { applyUserLabels, readUserLabels } from "../../samples/user-labels.ts";
import { fingerprint, hashFile } from "../../store/fingerprint.ts";
import type { ManifestWarning } from "../../store/manifest.ts";
import { fileExists } from "../../store/read-file.ts";
import type { Grader } from "../../text/open-answer.ts";
import type { MeaningModels } from "../meaning/meaning-models.ts";
import type { StepEvent } from "../step.ts";
import type { AnswerRole } from "../study-answers.ts";
import { SPLIT_SOURCES, type Workspace } from "../workspace.ts";

/** A language model that grades, by the names of `--judge-model` and `--judge-url`. */
export interface JudgeChoice {
  readonly model: string;
  /** Of a server; the local engine when not given. */
  readonly url?: string | undefined;
  readonly models: MeaningModels;
}

/** Who grades a study's answers, if no rule does. */
export interface RunGrader extends AsyncDisposable {
  /** Everything that decides its grades, for the manifest. */
  readonly settings: Readonly<Record<string, Json>>;
  grade(
    runs: readonly RunRecord[],
    questions: readonly Question[],
    options: { readonly part: string; readonly kind: AnswerRole; readonly signal?: AbortSignal | undefined },
  ): AsyncGenerator<StepEvent, { readonly runs: RunRecord[]; readonly warnings: ManifestWarning[] }>;
}

/** What a study's settings say about grading. */
interface GradingSettings {
  readonly correctness: Exclude<Grader, "labels"> | "auto";
  readonly labels?: string | undefined;
  readonly judgeModel?: string | undefined;
  readonly judgeUrl?: string | undefined;
}

/** How a study's answers are graded. */
export interface GradingChoice {
  readonly correctness: Grader | "auto";
  readonly judge?: JudgeChoice | undefined;
  readonly labels?: string | undefined;
}

/** @throws SepError `bad-option` for a judge without a model, and for labels together with a rule */
export function resolveGrading(
  { correctness, labels, judgeModel, judgeUrl }: GradingSettings,
  models: MeaningModels,
): GradingChoice {
  if (labels !== undefined && correctness !== "auto")
    throw new SepError(
      "bad-option",
      `Got --labels with --correctness ${correctness}, but the labels say which answers are correct. Leave out one of the two.`,
    );
  if (labels !== undefined) return { correctness: "labels", labels };
  if (correctness !== "judge") return { correctness };
  if (judgeModel === undefined)
    throw new SepError(
      "bad-option",
      "Got --correctness judge without a model. Name it with --judge-model, and its server, unless it runs here, with --judge-url.",
    );
  return { correctness, judge: { model: judgeModel, url: judgeUrl, models } };
}

/**
 * Opens whoever grades the answers.
 * @returns null where a rule does
 * @throws SepError as `readUserLabels`, and as the judge's opener
 */
export async function* openGrader(
  workspace: Workspace,
  { judge, labels }: Pick<GradingChoice, "judge" | "labels">,
  signal: AbortSignal | undefined,
): AsyncGenerator<StepEvent, RunGrader | null> {
  if (labels !== undefined) return openLabelGrader(labels, workspace);
  return judge === undefined ? null : yield* openJudgeGrader(judge, signal);
}

/**
 * Opens a judge of whether answers are right. Its replies are kept on disk, so that an interrupted step does not ask twice.
 * @throws SepError as the model's opener
 */
async function* openJudgeGrader(
  { model, url, models }: JudgeChoice,
  signal: AbortSignal | undefined,
): AsyncGenerator<StepEvent, RunGrader> {
  const opened = yield* models.openJudge(model, url, signal);
  const { judge } = opened;
  const wording = writeCorrectnessPrompt(EXAMPLE).prompt;
  return {
    settings: {
      judge: { model: judge.provenance, prompt: { ...CORRECTNESS_PROMPT, sha256: fingerprint(wording) } },
    },
    grade: (runs, questions, options) => judgeRuns(judge, runs, questions, options),
    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  };
}

/** A prompt with all of its lines, whose hash changes with the wording. */
const EXAMPLE = { question: "Q", context: "C", accepted: ["A", "B"], rejected: ["D"], answer: "E" };

/**
 * Grades by the user's own labels, which are read and checked at once if the questions are there.
 * @throws SepError as `readUserLabels`
 */
async function openLabelGrader(path: string, workspace: Workspace): Promise<RunGrader> {
  const ids = new Set<string>();
  for (const set of SPLIT_SOURCES)
    if (await fileExists(workspace.raw(set)))
      for (const { id } of (await loadQuestions(workspace.raw(set))).questions) ids.add(id);
  const labels = ids.size === 0 ? null : await readUserLabels(path, ids);
  return {
    settings: { labels_sha256: await hashFile(path) },
    async *grade(runs, _questions, { kind }) {
      const graded = applyUserLabels(labels!, runs, kind);
      return { runs: graded, warnings: warnOfUngraded(graded, `${path} has no label for any of them`) };
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/** Answers per call, so that there is progress to see; a server gets as many requests at a time as it takes. */
const BATCH = 32;

async function* judgeRuns(
  judge: JudgeModel,
  runs: readonly RunRecord[],
  questions: readonly Question[],
  { part, signal }: { readonly part: string; readonly signal?: AbortSignal | undefined },
): ReturnType<RunGrader["grade"]> {
  const byId = new Map(questions.map((question) => [question.id, question]));
  const keyOf = ({ question_id, extracted_answer }: RunRecord): string =>
    JSON.stringify([question_id, extracted_answer]);
  const distinct = [...new Map(runs.map((run) => [keyOf(run), run])).values()].filter(
    ({ extracted_answer }) => extracted_answer !== null,
  );
  const event = { step: "generate", part } as const;
  const total = distinct.length;
  yield { kind: "started", ...event, unit: "verdict", done: 0, total };
  const verdicts = new Map<string, boolean | null>();
  for (let start = 0; start < total; start += BATCH) {
    const batch = distinct.slice(start, start + BATCH);
    const asked = batch.map(({ question_id, extracted_answer }) => {
      const { question, context, answer, aliases = [], rejected } = byId.get(question_id)!;
      return { question, context, accepted: [answer, ...aliases], rejected, answer: extracted_answer! };
    });
    const judged = await judgeAnswers(judge, asked, { signal });
    for (const [i, run] of batch.entries()) verdicts.set(keyOf(run), judged[i]!);
    yield { kind: "advanced", ...event, done: verdicts.size, total };
  }
  const graded = runs.map((run) => ({
    ...run,
    is_correct: run.extracted_answer === null ? false : verdicts.get(keyOf(run))!,
  }));
  return { runs: graded, warnings: warnOfUngraded(graded, `${judge.name} answered neither yes nor no`) };
}

function warnOfUngraded(runs: readonly RunRecord[], reason: string): ManifestWarning[] {
  const count = runs.filter(({ is_correct }) => is_correct === null).length;
  if (count === 0) return [];
  const message = `${count} of ${runs.length} answers have no grade, since ${reason}. They are neither right nor wrong: probes do not learn from them, and no score counts them.`;
  return [{ code: "ungraded-answers", message }];
}
