import type { HubOptions } from "../checkpoint/hub/hub.ts";
import type { OpeningEvent } from "../checkpoint/opening-event.ts";
import type { LayerName } from "../engine/resolve-layers.ts";
import type { Entailer } from "../meaning/entailer.ts";
import type { JudgeModel } from "../meaning/judge-model.ts";
import type { AnswerBackend } from "../samples/answer-backend.ts";
import type { StateBackend } from "../states/state-backend.ts";

/** Somewhere that models run, with whatever it can do. Disposing of it ends all of its parts. */
export interface Backend extends AsyncDisposable {
  readonly name: string;
  /** Samples answers. */
  readonly answers?: AnswerBackend | undefined;
  /** Reads hidden states. */
  readonly states?: StateBackend | undefined;
  /** Judges whether one text entails another. */
  readonly entail?: Entailer | undefined;
  /** Answers prompts about other models' answers. */
  readonly judge?: JudgeModel | undefined;
}

/** A backend that is known to do some things. */
export type BackendWith<Part extends "answers" | "states" | "entail" | "judge"> = Backend & {
  readonly [Each in Part]: NonNullable<Backend[Each]>;
};

export interface OpenBackendOptions {
  /** Folder of the study, for the logs of what is started. */
  readonly root: string;
  /** Residual layers that states will be read in; all when not given. */
  readonly layers?: "all" | readonly LayerName[];
  /** Where and how to look for models of the Hugging Face hub; its `env` has the keys of servers too. */
  readonly hub?: HubOptions | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens a backend with a model, and yields how far that has got. What takes a GPU or much time starts when the backend's
 * parts are asked, since a step whose work is done opens its backend too.
 * @param model as `--model` names it
 */
export type OpenBackend = (
  model: string,
  options: OpenBackendOptions,
) => AsyncGenerator<OpeningEvent, Backend>;
