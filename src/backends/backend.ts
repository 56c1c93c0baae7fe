import type { HubOptions } from "../checkpoint/hub/hub.ts";
import type { OpeningEvent } from "../checkpoint/opening-event.ts";
import type { LayerName } from "../engine/resolve-layers.ts";
import type { Entailer } from "../meaning/entailer.ts";
import type { JudgeModel } from "../meaning/judge-model.ts";
import type { AnswerBackend } from "../samples/answer-backend.ts";
import type { StateBackend } from "../states/state-backend.ts";
import type { LiveBackend } from "./live-model.ts";

/** A place where models run, with everything that it can do. Disposing of it ends all of its parts. */
export interface Backend extends AsyncDisposable {
  readonly name: string;
  /** Samples answers. */
  readonly answers?: AnswerBackend | undefined;
  /** Reads hidden states. */
  readonly states?: StateBackend | undefined;
  /** Answers as it is asked, with the states that probes read. */
  readonly live?: LiveBackend | undefined;
  /** Decides whether one text entails another. */
  readonly entail?: Entailer | undefined;
  /** Answers prompts about other models' answers. */
  readonly judge?: JudgeModel | undefined;
}

/** A backend that is known to have some parts. */
export type BackendWith<Part extends "answers" | "states" | "live" | "entail" | "judge"> = Backend & {
  readonly [Each in Part]: NonNullable<Backend[Each]>;
};

export interface OpenBackendOptions {
  /** Folder of the study, for the logs of started processes. */
  readonly root: string;
  /** Residual layers to read; all if not given. */
  readonly layers?: "all" | readonly LayerName[];
  /** Where and how to look for models of the Hugging Face hub; its `env` has the keys of servers too. */
  readonly hub?: HubOptions | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens a backend with a model, and yields its progress. What needs a GPU or much time starts when the backend's
 * parts are first used, since a step whose work is already done opens its backend too.
 * @param model as `--model` names it
 */
export type OpenBackend = (
  model: string,
  options: OpenBackendOptions,
) => AsyncGenerator<OpeningEvent, Backend>;
