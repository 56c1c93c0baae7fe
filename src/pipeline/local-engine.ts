import type { LanguageModel } from "../models/language-model.ts";
import { canStartWorkers } from "../onnx/worker-threads.ts";
import type { Question } from "../questions/question.ts";
import { createRunRecorder, type RecordRunsOptions } from "../sampling/record-runs.ts";
import type { RunRecord } from "../sampling/run-record.ts";
import { type AnswerToTrace, type TracedAnswers, traceAnswers } from "../tracing/trace-answers.ts";
import { startModelWorkers } from "./model-workers.ts";

/** What the steps ask of the local model, wherever it runs. */
export interface LocalEngine extends AsyncDisposable {
  /** Questions to have under way at a time. */
  readonly concurrency: number;
  sample(
    question: Question,
    runIds: readonly number[],
    options: RecordRunsOptions,
    signal?: AbortSignal,
  ): Promise<RunRecord[]>;
  trace(
    promptIds: readonly number[],
    answers: readonly AnswerToTrace[],
    layers: readonly number[],
    signal?: AbortSignal,
  ): Promise<TracedAnswers>;
}

/**
 * An engine for some questions. onnxruntime's Node binding runs a pass on the thread that asks for it, so copies of a
 * model only run side by side on threads of our own, each with the model loaded.
 * @param questions how many there are to do
 */
export async function openLocalEngine(model: LanguageModel, questions: number): Promise<LocalEngine> {
  const workers = Math.min(model.workers, Math.floor(questions / QUESTIONS_WORTH_A_WORKER));
  if (workers < 2 || !canStartWorkers()) return runHere(model);
  const { id, revision, dtype, device, weights_sha256 } = model.provenance;
  return startModelWorkers(model.path, workers, {
    name: { id, revision },
    threads: model.threadsPerWorker,
    dtype,
    device: { name: device },
    trustedSha256: weights_sha256,
  });
}

/** Starting a worker takes about as long as this many questions to the embedded model. */
const QUESTIONS_WORTH_A_WORKER = 8;

/** The engine on this thread. */
export function runHere(model: LanguageModel): LocalEngine {
  return {
    concurrency: 1,
    sample: (question, runIds, options, signal) =>
      createRunRecorder(model, options).sample(question, runIds, signal),
    trace: (promptIds, answers, layers, signal) =>
      traceAnswers(model, promptIds, answers, { layers, signal }),
    [Symbol.asyncDispose]: async () => undefined, // the model belongs to whoever loaded it
  };
}
