import { rm } from "node:fs/promises";
import { SepError } from "../errors.ts";
import type { LanguageModel } from "../models/language-model.ts";
import { loadQuestions } from "../questions/load-questions.ts";
import type { Question } from "../questions/question.ts";
import type { PromptFormat } from "../sampling/build-prompt.ts";
import { readRuns } from "../sampling/read-runs.ts";
import { createRunRecorder, type RecordRunsOptions, type RunRecorder } from "../sampling/record-runs.ts";
import type { RunRecord } from "../sampling/run-record.ts";
import type { SamplerSettings } from "../sampling/sampler-settings.ts";
import { type Json, stableStringify } from "../store/json.ts";
import { describeProblems, writeJsonl } from "../store/jsonl.ts";
import { openJsonlAppender } from "../store/jsonl-appender.ts";
import type { Manifest, ManifestWarning } from "../store/manifest.ts";
import { describeModel } from "./describe-model.ts";
import { readJournalSettings, removeJournal, writeJournalSettings } from "./journal.ts";
import { openLocalEngine } from "./local-engine.ts";
import { mapConcurrently } from "./map-concurrently.ts";
import { runStep, type StepDefinition, type StepEvent, type StepOutcome, type StepResult } from "./step.ts";
import type { DataSetName, Workspace } from "./workspace.ts";

export interface GenerateRunsOptions {
  readonly model: LanguageModel;
  readonly sampler: SamplerSettings;
  /** K: samples a question. */
  readonly runs?: number;
  /** Questions to take, from the first; all when not given. */
  readonly limit?: number | undefined;
  readonly seed?: number;
  readonly promptFormat?: PromptFormat;
  readonly systemPrompt?: string | undefined;
  readonly enableThinking?: boolean | undefined;
  readonly force?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Step 2: K answers to each question, with raw token log-probabilities and entropies. Each finished question is
 * on disk at once, so that an interrupted run goes on where it stopped and ends with the same bytes. More runs or
 * more questions extend what is there; any other change is refused without `force`.
 * @throws SepError `missing-input`, `output-differs`, `output-locked`, `prompt-too-long`
 */
export async function* generateRuns(
  workspace: Workspace,
  set: DataSetName,
  options: GenerateRunsOptions,
): AsyncGenerator<StepEvent, StepResult> {
  const { runs = 10, limit, force = false } = options;
  const settings = describeSettings(set, options);
  const output = workspace.runs(set);
  const definition: StepDefinition = {
    step: "generate",
    part: set,
    inputs: [workspace.raw(set)],
    outputs: [output],
    settings: { ...settings, runs, limit: limit ?? null },
    whenStale: "refuse",
    extendsPrevious: (previous) => sameSampling(previous, settings),
  };
  return yield* runStep(workspace, definition, { force }, () =>
    sampleMissing(workspace, set, { ...options, runs, force }, settings),
  );
}

type Settings = Readonly<Record<string, Json>>;

/** All that an answer depends on, beside its question and its run id. */
function describeSettings(
  set: DataSetName,
  { model, sampler, seed = 42, promptFormat = "auto", systemPrompt, enableThinking }: GenerateRunsOptions,
): Settings {
  return {
    dataset: set,
    model: describeModel(model),
    sampler: { ...sampler },
    seed,
    prompt_format: promptFormat,
    system_prompt: systemPrompt ?? null,
    enable_thinking: enableThinking ?? null,
  };
}

function sameSampling(
  { settings: { runs: _runs, limit: _limit, ...before } }: Manifest,
  now: Settings,
): boolean {
  return stableStringify(before) === stableStringify(now);
}

/** The part of the options that a recorder takes; plain data, since it goes to other threads. */
const describeRecording = (
  dataset: DataSetName,
  { sampler, seed = 42, promptFormat = "auto", systemPrompt, enableThinking }: GenerateRunsOptions,
): RecordRunsOptions => ({ dataset, sampler, seed, promptFormat, systemPrompt, enableThinking });

const journalOf = (output: string): string => `${output}.partial`;

async function* sampleMissing(
  workspace: Workspace,
  set: DataSetName,
  options: GenerateRunsOptions & { readonly runs: number; readonly force: boolean },
  settings: Settings,
): AsyncGenerator<StepEvent, StepOutcome> {
  const { runs, limit, model, signal } = options;
  const { questions, problems } = await loadQuestions(workspace.raw(set), { limit });
  const output = workspace.runs(set);
  const journal = journalOf(output);
  if (options.force) {
    await removeJournal(journal);
    await rm(output, { force: true });
  }

  const recording = describeRecording(set, options);
  const finished = await readFinished(
    [output, journal],
    questions,
    runs,
    createRunRecorder(model, recording),
  );
  await claimJournal(journal, settings);
  const missing = questions.flatMap((question) => {
    const runIds = Array.from({ length: runs }, (_, run) => run).filter(
      (run) => !finished.has(keyOf(question.id, run)),
    );
    return runIds.length === 0 ? [] : [{ question, runIds }];
  });
  const total = questions.length;
  let done = total - missing.length;
  const event = { step: "generate", part: set } as const;
  yield { kind: "started", ...event, unit: "question", done, total };

  {
    await using engine = await openLocalEngine(model, missing.length);
    await using appender = await openJsonlAppender(journal);
    const sampled = mapConcurrently(
      missing,
      ({ question, runIds }, abort) => engine.sample(question, runIds, recording, abort),
      { concurrency: engine.concurrency, signal },
    );
    for await (const records of sampled) {
      await appender.append(records);
      for (const run of records) finished.set(keyOf(run.question_id, run.run_id), run);
      done += 1;
      yield { kind: "advanced", ...event, done, total };
    }
  }
  const ordered = questions.flatMap(({ id }) =>
    Array.from({ length: runs }, (_, run) => finished.get(keyOf(id, run)) as RunRecord),
  );
  await writeJsonl(output, ordered);
  const warnings = [...warnOfLines(problems.length, describeProblems(problems)), ...warnOfReasoning(ordered)];
  for (const warning of warnings) yield { kind: "warning", ...event, warning };
  return {
    counts: countRuns(total, ordered),
    warnings,
    cleanUp: () => removeJournal(journal),
  };
}

const keyOf = (questionId: string, runId: number): string => JSON.stringify([questionId, runId]);

/** Unfinished work that was made with other settings is never mixed in, and never dropped unasked. */
async function claimJournal(journal: string, settings: Settings): Promise<void> {
  const before = await readJournalSettings(journal);
  if (before === null) return writeJournalSettings(journal, settings);
  if (stableStringify(before) === stableStringify(settings)) return;
  throw new SepError(
    "output-differs",
    `${journal} holds unfinished answers that were drawn with other settings. Use the same settings to go on, --force to drop them, or --out for another folder.`,
  );
}

/**
 * Runs that are already on disk. A question that was reworded is asked again.
 * @throws SepError `output-differs` if there are runs that are not asked for: writing the output would lose them
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
      if (current !== null) finished.set(keyOf(run.question_id, run.run_id), current);
    }
  }
  if (surplus > 0) {
    throw new SepError(
      "output-differs",
      `${paths[0]} has ${surplus} answers that are not asked for: of other questions, or beyond ${runs} a question. Ask for as many as before, use --force to drop them, or --out for another folder.`,
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
  return {
    questions,
    runs: runs.length,
    correct: count((run) => run.is_correct),
    no_answer_found: count((run) => run.extracted_answer === null),
    reasoning_truncated: count((run) => run.think_status === "truncated"),
    reasoning_absent: count((run) => run.think_status === "none"),
    cut_off_by_length: count((run) => run.finish_reason === "length"),
    tokens: runs.reduce((sum, run) => sum + run.tokens.length, 0),
  };
}

function warnOfLines(count: number, reasons: string): ManifestWarning[] {
  return count === 0
    ? []
    : [{ code: "bad-lines", message: `${count} question lines were left out: ${reasons}` }];
}

function warnOfReasoning(runs: readonly RunRecord[]): ManifestWarning[] {
  const truncated = runs.filter((run) => run.think_status === "truncated").length;
  if (truncated === 0) return [];
  return [
    {
      code: "reasoning-truncated",
      message: `${truncated} of ${runs.length} answers were still reasoning at the token limit: they count as incorrect and have no think-end position. Raise --max-new-tokens to see them end.`,
    },
  ];
}
