import { resolve } from "node:path";
import type { SamplerSettings } from "../../engine/generate/sampler-settings.ts";
import { type GradedSamples, gradeImported } from "../../samples/import/grade-imported.ts";
import { importRuns } from "../../samples/import/import-runs.ts";
import { RUNS_FORMATS } from "../../samples/import/runs-formats.ts";
import { loadQuestions } from "../../samples/load-questions.ts";
import { IMPORTED, type RunRecord } from "../../samples/run-record.ts";
import { writeJsonl } from "../../store/jsonl.ts";
import type { ManifestWarning } from "../../store/manifest.ts";
import { fileExists } from "../../store/read-file.ts";
import type { CorrectnessRule } from "../../text/open-answer.ts";
import { nameSome } from "../question-overlap.ts";
import { runStep, type StepEvent, type StepOutcome, type StepResult } from "../step.ts";
import { warnOfBadRuns } from "../study-answers.ts";
import type { DataSetName, Workspace } from "../workspace.ts";

export interface ImportAnswersOptions {
  /** What the model that wrote them is called; for the record. */
  readonly model?: string | undefined;
  /** Grades answers that the file does not grade, by the reference answers of the study's questions. */
  readonly correctness?: CorrectnessRule | "auto";
  readonly force?: boolean;
}

/**
 * Takes the answers of another tool, or of a closed model, into a study as its runs: their texts, grades, and what the
 * file has of log-probabilities. They have no tokens, so only an observer can read states of them.
 * @param file of any format that `importRuns` reads
 * @throws SepError as `importRuns` and `gradeImported`; `output-differs` if the study has other answers; those of `runStep`
 */
export async function* importAnswers(
  workspace: Workspace,
  set: DataSetName,
  file: string,
  { model = "unknown", correctness = "auto", force = false }: ImportAnswersOptions = {},
): AsyncGenerator<StepEvent, StepResult> {
  const raw = workspace.raw(set);
  const hasReferences = await fileExists(raw);
  const event = { step: "import", part: set } as const;
  const definition = {
    ...event,
    inputs: [resolve(file), ...(hasReferences ? [raw] : [])],
    outputs: [workspace.runs(set)],
    settings: { model, correctness },
    whenStale: "redo" as const,
  };
  return yield* runStep(workspace, definition, { force }, async function* (): AsyncGenerator<
    StepEvent,
    StepOutcome
  > {
    yield { kind: "started", ...event, unit: "file", done: 0, total: 1 };
    const imported = await importRuns(file);
    const references = hasReferences ? (await loadQuestions(raw)).questions : [];
    const graded = gradeImported(imported.questions, references, correctness, file);
    const runs = graded.questions.flatMap((each) => describeRuns(set, each, model, graded.correctness));
    await writeJsonl(workspace.runs(set), runs);
    yield { kind: "note", ...event, message: `${file} is ${RUNS_FORMATS[imported.format]}` };
    yield { kind: "advanced", ...event, done: 1, total: 1 };
    const warnings = [
      ...warnOfBadRuns(imported),
      ...warnOfLeftOut(graded.withoutQuestion, "neither the file nor the study has their words"),
      ...warnOfLeftOut(
        graded.withoutGrade,
        "the file does not grade them, and the study has no reference answer",
      ),
    ];
    for (const warning of warnings) yield { kind: "warning", ...event, warning };
    return {
      counts: {
        questions: graded.questions.length,
        runs: runs.length,
        correct: runs.filter(({ is_correct }) => is_correct).length,
        no_answer_found: runs.filter(({ extracted_answer }) => extracted_answer === null).length,
      },
      warnings,
    };
  });
}

function describeRuns(
  set: DataSetName,
  {
    id,
    question,
    runIds,
    texts,
    outputs,
    extracted,
    isCorrect,
    tokenLogprobs,
    tokenEntropies,
  }: GradedSamples,
  model: string,
  correctness: CorrectnessRule,
): RunRecord[] {
  return texts.map((text, i) => ({
    dataset: set,
    question_id: id,
    run_id: runIds[i] as number,
    prompt: "",
    output_text: outputs?.[i] ?? text,
    think_text: "",
    answer_text: text,
    tokens: [],
    think_token_indices: null,
    token_entropies: tokenEntropies?.[i] ?? [],
    token_logprobs: tokenLogprobs?.[i] ?? [],
    mean_think_entropy: null,
    is_correct: isCorrect[i] as boolean,
    correctness,
    extracted_answer: extracted[i] as string | null,
    think_status: "none",
    finish_reason: "stop",
    question,
    prompt_tokens: [],
    seed: 0,
    model,
    sampler: UNKNOWN_SAMPLER,
    backend: IMPORTED,
  }));
}

/** The files do not say how they were sampled, and no default is true of them. */
const UNKNOWN_SAMPLER = {} as SamplerSettings;

function warnOfLeftOut(ids: readonly string[], reason: string): ManifestWarning[] {
  if (ids.length === 0) return [];
  return [
    {
      code: "ungraded-answers",
      message: `${ids.length} questions were left out, since ${reason}: ${nameSome(ids)}.`,
    },
  ];
}
