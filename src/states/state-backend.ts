import type { BackendName, ModelProfile } from "../checkpoint/model-profile.ts";
import type { Json } from "../formats/json.ts";

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
   * Starts what takes time, such as a server. Called once per question set, and only if there is something to read.
   * @returns progress, as sentences
   */
  prepare?(): AsyncGenerator<string, void>;
  /** @param questions how many there are to do */
  openReader(questions: number): Promise<StateReader>;
}

/** Reads hidden states; whoever opened it closes it. */
export interface StateReader extends AsyncDisposable {
  /** Questions to work on in parallel. */
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

/** Where to read one answer: token indices in `[...prompt, ...answer]`. */
export interface AnswerToTrace {
  /** [T] */
  readonly tokenIds: readonly number[];
  /** Each >= the prompt's length. */
  readonly indices: readonly number[];
}

export interface TracedAnswers {
  /** [layers, D] at the prompt's last token. */
  readonly beforeGeneration: Float32Array;
  /** Per answer, per index: [layers, D]. */
  readonly answers: readonly (readonly Float32Array[])[];
}

export interface ReadStatesOptions {
  /** Residual layers, ascending; 0 is the embeddings. */
  readonly layers: readonly number[];
  readonly signal?: AbortSignal | undefined;
}
