import { rm } from "node:fs/promises";
import type { BatchUsage } from "../../engine/generate/batcher.ts";
import { SepError } from "../../errors.ts";
import { type Json, stableStringify } from "../../formats/json.ts";
import { mapConcurrently } from "../../net/map-concurrently.ts";
import type { AnswerSampler } from "../../samples/answer-backend.ts";
import type { Question } from "../../samples/question.ts";
import { readRuns } from "../../samples/read-runs.ts";
import { createRunRecorder, type RunRecorder } from "../../samples/record-runs.ts";
import type { RunRecord } from "../../samples/run-record.ts";
import { runKey } from "../../samples/samples.ts";
import { keepSampledStates, stateKey } from "../../states/sampled-states.ts";
import { openJsonlAppender } from "../../store/append-jsonl.ts";
import {
  partialPathOf,
  readJournalSettings,
  removeJournal,
  writeJournalSettings,
} from "../../store/journal.ts";
import { writeJsonl } from "../../store/jsonl.ts";
import type { Manifest, ManifestWarning } from "../../store/manifest.ts";
import type { StepDefinition } from "../decide-step.ts";
import { nameSome } from "../question-overlap.ts";
import { type AdaptiveK, allRunIds, openAdaptiveK, sampleQuestion } from "../sampling/adaptive-k.ts";
import type { DtypeChoice } from "../sampling/choose-dtype.ts";
import { openGrader, type RunGrader } from "../sampling/grade-runs.ts";
import {
  type GenerateRunsOptions,
  type GenerationPlan,
  planGeneration,
  type StatesWhileSampling,
} from "../sampling/plan-generation.ts";
import { runStep, type StepEvent, type StepOutcome, type StepResult } from "../step.ts";
import { answersPath, bestPart } from "../study-answers.ts";
import type { DataSetName, Workspace } from "../workspace.ts";
import { resolvePlaces, sampledSettings } from "./trace-runs.ts";

/**
 * Step 2: K answers to each question, with raw token log-probabilities and entropies. Each finished question is
 * written to disk at once, so that an interrupted run resumes where it stopped and ends with the same bytes. More runs or
 * more questions extend the existing answers, and another correctness rule grades them again; any other change is refused
 * without `force`. A question that is too long for the model is left out and named. With `adaptive`, a question gets only the
 * first of its K answers, as many as needed. With `states`, a trace finds their hidden states read. With `answers: "best"`, one low-temperature answer per question instead, in its own file.
 * @throws SepError `missing-input`, `output-differs`, `output-locked`, `prompt-too-long` when
 *   no question fits into the model, `too-few-questions` when every question is a shot, and `bad-option` as `buildPrompt` does
 */
export async function* generateRuns(
  workspace: Workspace,
  set: DataSetName,
  options: GenerateRunsOptions,
): AsyncGenerator<StepEvent, StepResult> {
  const { force = false, plan: planned } = options;
  const resolved = await planGeneration(workspace, set, options);
  await using adaptive =
    options.adaptive === undefined
      ? null
      : yield* openAdaptiveK(resolved.runs, resolved.recording.correctness, options.adaptive, options.signal);
  await using grader = yield* openGrader(workspace, options, options.signal);
  const plan = {
    ...resolved,
    grading: { ...resolved.grading, adaptive: adaptive?.settings ?? null, ...grader?.settings },
  };
  const output = answersPath(workspace, set, options.answers);
  const part = options.answers === "best" ? bestPart(set) : set;
  const definition: StepDefinition = {
    step: "generate",
    part,
    inputs: [workspace.raw(set)],
    outputs: [output],
    settings: { ...plan.sampling, ...plan.grading },
    grounds: groundsOf(options.dtypeChoice),
    whenStale: "refuse",
    extendsPrevious: (previous) => sameSampling(previous, plan),
    check: () => (force ? Promise.resolve() : checkKeepable(output, plan)),
    cleanUp: () => removeJournal(partialPathOf(output)),
  };
  return yield* runStep(workspace, definition, { force, plan: planned }, () =>
    sampleMissing(workspace, set, part, { ...options, force }, plan, { adaptive, grader }),
  );
}

/** Whether the existing answers are among the requested ones, however they are graded. */
function sameSampling({ settings }: Manifest, { sampling, grading }: GenerationPlan): boolean {
  const isGrading = (key: string): boolean => Object.hasOwn(grading, key) || GRADER_KEYS.includes(key);
  const before = Object.entries(settings).filter(([key]) => !isGrading(key));
  return stableStringify(Object.fromEntries(before)) === stableStringify(sampling);
}

/** Settings of graders, which those of another grader lack. */
const GRADER_KEYS: readonly string[] = ["judge", "labels_sha256"];

async function* sampleMissing(
  workspace: Workspace,
  set: DataSetName,
  part: string,
  { force, answers, states, signal, dtypeChoice }: GenerateRunsOptions & { readonly force: boolean },
  plan: GenerationPlan,
  { adaptive, grader }: { readonly adaptive: AdaptiveK | null; readonly grader: RunGrader | null },
): AsyncGenerator<StepEvent, StepOutcome> {
  const { backend, questions, runs } = plan;
  const output = answersPath(workspace, set, answers);
  const recorder = createRunRecorder(backend, plan.recording);
  const journal = partialPathOf(output);
  if (force) {
    await removeJournal(journal);
    await rm(output, { force: true });
  }

  const finished = await readFinished([output, journal], questions, runs, recorder);
  if (await requireSameJournal(journal, plan.sampling))
    await writeJournalSettings(journal, { ...plan.sampling, grounds: groundsOf(dtypeChoice) ?? null });
  const runsOf = ({ id }: Question): RunRecord[] =>
    Array.from({ length: runs }, (_, run) => finished.get(runKey(id, run))).filter(
      (run) => run !== undefined,
    );
  const nextRunIds = adaptive === null ? allRunIds(runs) : adaptive.nextRunIds;
  const missing: Question[] = [];
  for (const question of questions)
    if ((await nextRunIds(question, runsOf(question), signal)).length > 0) missing.push(question);
  const total = questions.length;
  const tooLong = new Map<string, SepError>();
  let done = total - missing.length;
  const event = { step: "generate", part } as const;
  yield { kind: "started", ...event, unit: "question", done, total };
  for (const message of plan.notes) yield { kind: "note", ...event, message };

  if (missing.length > 0) {
    await using opened = yield* backend.openSampler(missing.map(recorder.promptOf), { signal });
    await using sampler = await keepStates(opened, workspace.hiddenStates(set), states);
    await using appender = await openJsonlAppender(journal);
    const sampled = mapConcurrently(
      missing,
      async (asked, abort) => {
        try {
          return await sampleQuestion(
            (question, runIds, stop) => recorder.sample(sampler, question, runIds, stop),
            asked,
            runsOf(asked),
            nextRunIds,
            abort,
          );
        } catch (error) {
          if (!(error instanceof SepError && error.code === "prompt-too-long")) throw error;
          tooLong.set(asked.id, error);
          return [];
        }
      },
      { concurrency: opened.concurrency, signal },
    );
    for await (const records of sampled) {
      await appender.append(records);
      for (const run of records) finished.set(runKey(run.question_id, run.run_id), run);
      done += 1;
      yield { kind: "advanced", ...event, done, total };
    }
    const usage = await opened.usage?.();
    if (usage !== undefined && usage.passes > 0) yield { kind: "note", ...event, ...describeUsage(usage) };
  }
  const answered = questions.filter(({ id }) => !tooLong.has(id));
  // all questions of a shard may be too long, while the study has others
  if (answered.length === 0 && tooLong.size > 0 && workspace.shard === null) throw noneFits(tooLong);
  const sampled = answered.flatMap(runsOf);
  const kind = answers ?? "samples";
  const { runs: ordered, warnings: ungraded } =
    grader === null
      ? { runs: sampled, warnings: [] }
      : yield* grader.grade(sampled, answered, { part, kind, signal });
  await writeJsonl(output, ordered);
  const left = questions.flatMap(({ id }) => (tooLong.has(id) ? [id] : []));
  const warnings = [...plan.warnings, ...warnOfTooLong(left), ...warnOfReasoning(ordered), ...ungraded];
  for (const warning of warnings) yield { kind: "warning", ...event, warning };
  const all = answered.length * runs;
  const saved = all - ordered.length;
  if (adaptive !== null) yield { kind: "note", ...event, message: describeSaving(saved, all) };
  return {
    counts: {
      ...countRuns(answered.length, ordered),
      ...(adaptive === null ? {} : { answers_saved: saved }),
      left_out_as_shots: plan.leftOutAsShots,
      left_out_too_long: left.length,
    },
    warnings,
  };
}

/**
 * A sampler that also reads states, and has them on disk when it returns the answers: a journal never has an answer
 * without its states.
 * @param output the hidden-states file that a trace will write
 */
async function keepStates(
  sampler: AnswerSampler,
  output: string,
  wanted: StatesWhileSampling | undefined,
): Promise<Pick<AnswerSampler, "draw"> & AsyncDisposable> {
  if (wanted === undefined) return { draw: sampler.draw, [Symbol.asyncDispose]: () => Promise.resolve() };
  const { backend, ...places } = wanted;
  const states = resolvePlaces(backend, places);
  const rowSize = states.layers.length * backend.model.config.hiddenSize;
  const kept = await keepSampledStates(output, sampledSettings(backend, states), rowSize);
  return {
    async draw(prompt, options) {
      const answers = await sampler.draw(prompt, { ...options, states });
      await kept.add(
        answers.flatMap(({ tokenIds, states: read = [] }) =>
          read.map(({ index, residual }) => ({
            key: stateKey([...prompt.tokenIds, ...tokenIds], index),
            residual,
          })),
        ),
      );
      return answers;
    },
    [Symbol.asyncDispose]: () => kept[Symbol.asyncDispose](),
  };
}

const describeSaving = (saved: number, all: number): string =>
  `${saved} of ${all} answers (${((saved / Math.max(1, all)) * 100).toFixed(1)}%) were not sampled: they could not have changed on which side of the threshold their question is`;

/** What the record says beside the dtype, which is one of the model's settings. */
const groundsOf = (choice: DtypeChoice | null | undefined): Manifest["grounds"] =>
  choice ? { dtype: { ...choice } } : undefined;

/** Share of the passes. */
const WORTH_MENTIONING = 0.05;

/** An event, not a count of the manifest: it depends on how often the run was interrupted. */
function describeUsage({ passes, rows, room, short }: BatchUsage): {
  readonly message: string;
  readonly figures: Readonly<Record<string, number>>;
} {
  const [occupancy, rowsPerPass] = [rows / room, rows / passes];
  const limit =
    short / passes < WORTH_MENTIONING
      ? ""
      : `; ${((100 * short) / passes).toFixed(0)}% of the passes had no memory for the keys and values of more rows, see --memory`;
  return {
    message: `batches were ${(100 * occupancy).toFixed(1)}% full: ${rowsPerPass.toFixed(1)} of ${room / passes} rows in each of ${passes} passes${limit}`,
    figures: {
      batch_occupancy: occupancy,
      rows_per_pass: rowsPerPass,
      passes,
      passes_short_of_memory: short,
    },
  };
}

/** Whether existing answers can be extended, as `sampleMissing` does. */
async function checkKeepable(output: string, plan: GenerationPlan): Promise<void> {
  const journal = partialPathOf(output);
  const recorder = createRunRecorder(plan.backend, plan.recording);
  await readFinished([output, journal], plan.questions, plan.runs, recorder);
  await requireSameJournal(journal, plan.sampling);
}

/**
 * Unfinished work that was made with other settings is never mixed in, and is dropped only with `force`.
 * @returns whether there is none
 */
async function requireSameJournal(
  journal: string,
  settings: Readonly<Record<string, Json>>,
): Promise<boolean> {
  const before = await readJournalSettings(journal);
  if (before === null) return true;
  const compared = { ...(before as Readonly<Record<string, Json>>), grounds: null };
  if (stableStringify(compared) === stableStringify({ ...settings, grounds: null })) return false;
  throw new SepError(
    "output-differs",
    `${journal} contains unfinished answers that were sampled with other settings. Use the same settings to resume, --force to drop them, or --out for another folder.`,
  );
}

/**
 * Runs that are already on disk. A question whose text has changed is asked again.
 * @throws SepError `output-differs` if there are runs that are not requested: writing the output would lose them
 */
async function readFinished(
  paths: readonly string[],
  questions: readonly Question[],
  runs: number,
  record: RunRecorder,
): Promise<Map<string, RunRecord>> {
  const byId = new Map(questions.map((question) => [question.id, question]));
  const finished = new Map<string, RunRecord>();
  let surplus = 0;
  for (const path of paths) {
    for (const run of await readRunsIfThere(path)) {
      const question = byId.get(run.question_id);
      if (question === undefined || run.run_id >= runs) {
        surplus += 1;
        continue;
      }
      const current = record.renew(question, run);
      if (current !== null) finished.set(runKey(run.question_id, run.run_id), current);
    }
  }
  if (surplus > 0) {
    throw new SepError(
      "output-differs",
      `${paths[0]} has ${surplus} answers more than requested: to other questions, or beyond ${runs} per question. Request as many as before, use --force to drop them, or --out for another folder.`,
    );
  }
  return finished;
}

async function readRunsIfThere(path: string): Promise<readonly RunRecord[]> {
  try {
    return (await readRuns(path)).runs;
  } catch (error) {
    if (error instanceof SepError && error.code === "missing-input") return [];
    throw error;
  }
}

function countRuns(questions: number, runs: readonly RunRecord[]): Record<string, number> {
  const count = (test: (run: RunRecord) => boolean): number => runs.filter(test).length;
  const ungraded = count((run) => run.is_correct === null);
  return {
    questions,
    runs: runs.length,
    correct: count((run) => run.is_correct === true),
    ...(ungraded === 0 ? {} : { ungraded }),
    no_answer_found: count((run) => run.extracted_answer === null),
    reasoning_truncated: count((run) => run.think_status === "truncated"),
    reasoning_absent: count((run) => run.think_status === "none"),
    cut_off_by_length: count((run) => run.finish_reason === "length"),
    tokens: runs.reduce((sum, run) => sum + run.tokens.length, 0),
  };
}

/** The error for a set whose questions are all too long, with one of them as an example. */
function noneFits(tooLong: ReadonlyMap<string, SepError>): SepError {
  const [id, cause] = [...tooLong][0]!;
  return new SepError(
    "prompt-too-long",
    `All ${tooLong.size} questions are too long for the model. ${JSON.stringify(id)}: ${cause.message}`,
    { cause },
  );
}

function warnOfTooLong(ids: readonly string[]): ManifestWarning[] {
  if (ids.length === 0) return [];
  const message = `${ids.length} questions are too long for the model, and were left out: ${nameSome(ids)}. Shorten them or the prompt around them, or use a model with a longer context.`;
  return [{ code: "prompt-too-long", message }];
}

function warnOfReasoning(runs: readonly RunRecord[]): ManifestWarning[] {
  const truncated = runs.filter((run) => run.think_status === "truncated").length;
  if (truncated === 0) return [];
  return [
    {
      code: "reasoning-truncated",
      message: `${truncated} of ${runs.length} answers were still reasoning at the token limit: they count as incorrect and have no think-end position. Raise --max-new-tokens.`,
    },
  ];
}
