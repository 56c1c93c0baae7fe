import type { BackendName, ModelProfile } from "../checkpoint/load-model-profile.ts";
import type { Json } from "../formats/json.ts";
import type { AnswerToTrace, TracedAnswers } from "./trace-answers.ts";

/**
 * `residual`: the stream before the final norm. `final-norm`: the last layer after it, as Python transformers has it
 * at the end of `hidden_states`.
 */
export type NormState = "residual" | "final-norm";

/** Wherever hidden states are read. */
export interface StateBackend {
  readonly name: BackendName;
  readonly model: ModelProfile;
  /** All that decides the states beside tokens and layers, for the manifest. */
  readonly identity: Json;
  /** The same for the hidden states' file, which names it in its metadata. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly normState: NormState;
  /** The layers that it can read where it cannot read all of 0 .. L. */
  readonly layers?: readonly number[] | undefined;
  /**
   * Gets ready what takes time, such as a server; asked only where there is something to do, and again for every set.
   * @returns how it gets on, as sentences
   */
  prepare?(): AsyncGenerator<string, void>;
  /** @param questions how many there are to do */
  openReader(questions: number): Promise<StateReader>;
}

/** Reads hidden states; it belongs to whoever opened it. */
export interface StateReader extends AsyncDisposable {
  /** Questions to have under way at a time. */
  readonly concurrency: number;
  /**
   * Reads several answers to one prompt.
   * @param promptIds [P]
   * @returns float32, whatever the model computes in
   * @throws the signal's reason; SepError of the backend
   */
  read(
    promptIds: readonly number[],
    answers: readonly AnswerToTrace[],
    options: ReadStatesOptions,
  ): Promise<TracedAnswers>;
}

export interface ReadStatesOptions {
  /** Residual layers, ascending; 0 is the embeddings. */
  readonly layers: readonly number[];
  readonly signal?: AbortSignal | undefined;
}
