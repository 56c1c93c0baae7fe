import { sampleAnswers } from "../../engine/generate/sample-answers.ts";
import type { LanguageModel } from "../../engine/language-model.ts";
import { canStartWorkers } from "../../engine/runtime/worker-threads.ts";
import type { AnswerBackend, AnswerSampler } from "../../samples/answer-backend.ts";
import type { StateBackend, StateReader } from "../../states/state-backend.ts";
import { traceAnswers } from "../../states/trace-answers.ts";
import { describeModel } from "./describe-model.ts";
import { startModelWorkers } from "./model-workers.ts";

/** Both backends on the engine of this package. The model belongs to whoever loaded it. */
export function createLocalBackend(model: LanguageModel): AnswerBackend & StateBackend {
  const { id, revision, weights_sha256, tokenizer_sha256, dtype, device } = model.provenance;
  return {
    name: "local",
    model,
    identity: describeModel(model),
    metadata: {
      model: id,
      ...(revision === null ? {} : { model_revision: revision }),
      weights_sha256,
      tokenizer_sha256,
      dtype,
      device,
    },
    tokenEntropies: "vocabulary",
    normState: "residual",
    openSampler: (questions) => openLocalEngine(model, questions),
    openReader: (questions) => openLocalEngine(model, questions),
  };
}

/** A model that is loaded runs on the local engine. */
export const answerBackendOf = (model: LanguageModel | AnswerBackend): AnswerBackend =>
  "openSampler" in model ? model : createLocalBackend(model);

/** A model that is loaded runs on the local engine. */
export const stateBackendOf = (model: LanguageModel | StateBackend): StateBackend =>
  "openReader" in model ? model : createLocalBackend(model);

/** Draws answers and reads states. */
export interface LocalEngine extends AnswerSampler, StateReader {}

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
    draw: (prompt, options) => sampleAnswers(model, prompt.tokenIds, options),
    read: (promptIds, answers, options) => traceAnswers(model, promptIds, answers, options),
    [Symbol.asyncDispose]: async () => undefined,
  };
}
