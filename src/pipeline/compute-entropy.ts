import { describeSemanticEntropy, type SemanticEntropyRecord } from "../entropy/semantic-entropy-record.ts";
import { SepError } from "../errors.ts";
import { clusterAnswers } from "../meaning/cluster-answers.ts";
import type { Equivalence } from "../meaning/equivalence.ts";
import { createExactEquivalence } from "../meaning/exact-equivalence.ts";
import { createMathEquivalence } from "../meaning/math-equivalence.ts";
import { groupByQuestion } from "../sampling/group-by-question.ts";
import { readRuns } from "../sampling/read-runs.ts";
import type { RunRecord } from "../sampling/run-record.ts";
import { describeProblems, writeJsonl } from "../store/jsonl.ts";
import { normalizeAnswer } from "../text/normalize-answer.ts";
import { findEntropyWarnings } from "./entropy-warnings.ts";
import { fileExists } from "./file-exists.ts";
import { runStep, type StepEvent, type StepOutcome, type StepResult } from "./step.ts";
import type { DataSetName, Workspace } from "./workspace.ts";

export const EQUIVALENCE_NAMES = ["math", "exact"] as const;
export type EquivalenceName = (typeof EQUIVALENCE_NAMES)[number];

export interface ComputeEntropyOptions {
  /**
   * When two extracted answers mean the same: `math` as mathematics, `exact` as normalised text; `auto` is `math` for
   * runs that were judged as mathematics, else `exact`.
   */
  readonly equivalence?: EquivalenceName | "auto" | undefined;
  readonly force?: boolean | undefined;
}

/**
 * Step 3: groups each question's samples by meaning and writes every entropy to
 * `data/{set}_semantic_entropy.jsonl`, in the order in which the questions first appear among the runs; a
 * question's samples are taken by run id, so that the order of lines does not matter.
 * @throws SepError `too-few-questions` if no question has two samples, and as `runStep`
 */
export async function* computeEntropy(
  workspace: Workspace,
  set: DataSetName,
  { equivalence: asked = "auto", force = false }: ComputeEntropyOptions = {},
): AsyncGenerator<StepEvent, StepResult> {
  const name = asked === "auto" ? await chooseEquivalence(workspace.runs(set)) : asked;
  const equivalence = createEquivalence(name);
  const definition = {
    step: "entropy",
    part: set,
    inputs: [workspace.runs(set)],
    outputs: [workspace.semanticEntropy(set)],
    settings: { equivalence: equivalence.provenance },
    whenStale: "redo",
  } as const;
  return yield* runStep(workspace, definition, { force }, () => measure(workspace, set, equivalence));
}

/** A missing file is for the step itself to report. */
async function chooseEquivalence(runsPath: string): Promise<EquivalenceName> {
  if (!(await fileExists(runsPath))) return "math";
  const { runs } = await readRuns(runsPath);
  return runs.every(({ correctness }) => correctness === "math") ? "math" : "exact";
}

function createEquivalence(name: EquivalenceName): Equivalence {
  switch (name) {
    case "math":
      return createMathEquivalence();
    case "exact":
      return createExactEquivalence();
  }
  throw new SepError(
    "bad-option",
    `equivalence is ${JSON.stringify(name)}, expected one of ${EQUIVALENCE_NAMES.join(", ")}.`,
  );
}

async function* measure(
  workspace: Workspace,
  set: DataSetName,
  equivalence: Equivalence,
): AsyncGenerator<StepEvent, StepOutcome> {
  const { runs, problems, duplicates } = await readRuns(workspace.runs(set));
  const byQuestion = groupByQuestion(runs);
  const questions = [...byQuestion.values()]
    .filter((samples) => samples.length >= MIN_SAMPLES)
    .map((samples) => samples.toSorted((a, b) => a.run_id - b.run_id));
  if (questions.length === 0)
    throw new SepError(
      "too-few-questions",
      `No question in ${workspace.runs(set)} has ${MIN_SAMPLES} samples, got ${runs.length} usable runs of ` +
        `${byQuestion.size} questions. ${problems.length > 0 ? `${describeProblems(problems)}. ` : ""}` +
        "Sample more with `sep generate --runs`.",
    );

  const at = { step: "entropy", part: set } as const;
  const total = questions.length;
  yield { kind: "started", ...at, unit: "question", done: 0, total };
  const records: SemanticEntropyRecord[] = [];
  for (const samples of questions) {
    const answers = samples.map((run) => comparedText(run, equivalence));
    // The prompt holds the question; a runs file alone does not have it by itself.
    const clusters = await clusterAnswers(answers, equivalence, {
      question: (samples[0] as RunRecord).prompt,
    });
    records.push(describeSemanticEntropy(samples, answers, clusters, equivalence));
    yield { kind: "advanced", ...at, done: records.length, total };
  }
  const tooFewSamples = byQuestion.size - questions.length;
  const warnings = findEntropyWarnings(records, { problems, duplicates, tooFewSamples });
  for (const warning of warnings) yield { kind: "warning", ...at, warning };

  await writeJsonl(workspace.semanticEntropy(set), records);
  const counts = {
    questions: total,
    runs: records.reduce((sum, record) => sum + record.run_ids.length, 0),
    no_answer: records.reduce(
      (sum, { answers }) => sum + answers.filter((answer) => answer === null).length,
      0,
    ),
    bad_lines: problems.length,
    duplicate_runs: duplicates.length,
    questions_with_too_few_samples: tooFewSamples,
  };
  return { counts, warnings };
}

/** One sample cannot disagree with itself: its entropy is 0 whatever the model knows. */
const MIN_SAMPLES = 2;

/** The answer that was judged, so that a sample's correctness and its cluster are about the same text. */
function comparedText({ extracted_answer: answer }: RunRecord, { name }: Equivalence): string | null {
  return answer === null || name === "math" ? answer : normalizeAnswer(answer) || null;
}
