import { type LoadModelOptions, openModel } from "../../checkpoint/load-model.ts";
import type { OpeningEvent } from "../../checkpoint/opening-event.ts";
import type { LanguageModel } from "../../engine/language-model.ts";
import { canStartWorkers } from "../../engine/runtime/worker-threads-node.ts";
import type { Json } from "../../formats/json.ts";
import { stateSourceOf } from "../../probes/pick-states.ts";
import type { AnswerBackend } from "../../samples/answer-backend.ts";
import type { StateBackend } from "../../states/state-backend.ts";
import type { BackendWith } from "../backend.ts";
import type { LiveBackend, LiveModel } from "../live-model.ts";
import { openLocalEngine, openServingEngine, planOf, rowsPerWorker, runHere } from "./local-engine.ts";
import { QUESTIONS_WORTH_A_TRIAL, tryPlans } from "./try-plans.ts";

/**
 * Opens the engine of this package with a model, which is downloaded first if it has to be.
 * @throws SepError as `openModel` does
 */
export async function* openLocal(
  reference: string,
  options: LoadModelOptions = {},
): AsyncGenerator<OpeningEvent, BackendWith<"answers" | "states" | "live">> {
  return keepModel(yield* openModel(reference, options));
}

/** The local engine with a loaded model, which is disposed of with it. */
export function keepModel(model: LanguageModel): BackendWith<"answers" | "states" | "live"> {
  const local = createLocalBackend(model);
  return {
    name: local.name,
    answers: local,
    states: local,
    live: local,
    [Symbol.asyncDispose]: () => model[Symbol.asyncDispose](),
  };
}

/** Samples answers and reads states on the engine of this package. Whoever loaded the model must dispose of it. */
export function createLocalBackend(model: LanguageModel): AnswerBackend & StateBackend & LiveBackend {
  const { id, revision, weights_sha256, tokenizer_sha256, dtype, device } = model.provenance;
  let needsTrial = model.needsTrial && canStartWorkers();
  let plan = planOf(model);
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
    readsStates: {
      obstacle:
        dtype === "float32" ? null : `the model samples in ${dtype}, and hidden states are read in float32`,
    },
    normState: "residual",
    async *openSampler(prompts, { signal } = {}) {
      if (needsTrial && prompts.length >= QUESTIONS_WORTH_A_TRIAL) {
        plan = (yield* tryPlans(model, { signal })).chosen;
        needsTrial = false;
      }
      const engine = await openLocalEngine(model, prompts.length, plan);
      // enough to fill the batches, however few answers each question gets
      return { ...engine, concurrency: engine.concurrency * rowsPerWorker(plan.rows) };
    },
    async *openReader(questions) {
      return openLocalEngine(model, questions);
    },
    source: stateSourceOf(model.provenance),
    async *openLive() {
      return asLive(model, await openServingEngine(model));
    },
  };
}

/** A loaded model that answers on this thread. */
export const liveModelOf = (model: LanguageModel): LiveModel => asLive(model, runHere(model));

const asLive = (model: LanguageModel, engine: Awaited<ReturnType<typeof openServingEngine>>): LiveModel => ({
  model,
  normState: "residual",
  source: stateSourceOf(model.provenance),
  generate: engine.generate,
  read: engine.readAnswer,
  [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
});

/** A model that is loaded runs on the local engine. */
export const answerBackendOf = (model: LanguageModel | AnswerBackend): AnswerBackend =>
  "openSampler" in model ? model : createLocalBackend(model);

/** A model that is loaded runs on the local engine. */
export const stateBackendOf = (model: LanguageModel | StateBackend): StateBackend =>
  "openReader" in model ? model : createLocalBackend(model);

/**
 * The properties of a model that determine a step's outputs: its weights, tokenizer, dtype and device. Its name does
 * not count, since a checkpoint in another folder is the same model.
 */
function describeModel({ provenance }: LanguageModel): Json {
  const { weights_sha256, tokenizer_sha256, dtype, device } = provenance;
  return { weights_sha256, tokenizer_sha256, dtype, device };
}
