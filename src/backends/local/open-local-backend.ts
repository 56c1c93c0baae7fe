import type { AnswerBackend } from "../../samples/answer-backend.ts";
import type { StateBackend } from "../../states/state-backend.ts";
import type { StepEvent } from "../../study/step.ts";
import type { OpenBackend } from "../open-backend.ts";
import { createLocalBackend } from "./local-backend.ts";
import { type OpenModelOptions, openModel } from "./open-model.ts";

/**
 * The engine of this package with a model, which is downloaded first if it has to be.
 * @throws SepError as `openModel` does
 */
export async function* openLocalBackend(
  reference: string,
  options: OpenModelOptions,
): AsyncGenerator<StepEvent, OpenBackend<AnswerBackend & StateBackend>> {
  const model = yield* openModel(reference, options);
  return {
    backend: createLocalBackend(model),
    [Symbol.asyncDispose]: () => model[Symbol.asyncDispose](),
  };
}
