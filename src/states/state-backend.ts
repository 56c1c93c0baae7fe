import type { ModelProfile } from "../checkpoint/load-model-profile.ts";
import type { OpeningEvent } from "../checkpoint/opening-event.ts";
import type { LayerStates } from "../engine/layer-states.ts";
import type { Json } from "../formats/json.ts";

/**
 * `residual`: the stream before the final norm. `final-norm`: the last layer after it, as Python transformers has it
 * at the end of `hidden_states`.
 */
export const NORM_STATES = ["residual", "final-norm"] as const;
export type NormState = (typeof NORM_STATES)[number];

/** Wherever hidden states are read. Disposing of it ends what only states need; it starts again when asked again. */
export interface StateBackend extends Partial<AsyncDisposable> {
  /** "local", "vllm", "nnsight", or a user's own. */
  readonly name: string;
  readonly model: ModelProfile;
  /** All that decides the states beside tokens and layers, for the manifest. */
  readonly identity: Json;
  /** The same for the hidden states' file, which names it in its metadata. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly normState: NormState;
  /** The layers that it can read where it cannot read all of 0 .. L. */
  readonly layers?: readonly number[] | undefined;
  /**
   * Gets ready to read states, and starts what takes time or memory, such as a server. It is called only where there is
   * something to read, and again for every question set.
   * @param questions how many there are to read
   */
  openReader(questions: number): AsyncGenerator<OpeningEvent, StateReader>;
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

/**
 * Disposing of it frees the memory of its arrays ahead of the garbage collector, where the backend can. They must not be read
 * after that.
 */
export interface TracedAnswers extends Partial<Disposable> {
  /** [layers, D] at the prompt's last token. */
  readonly beforeGeneration: Float32Array;
  /** Per answer, per layer: [indices, D]. */
  readonly answers: readonly LayerStates[];
}

export interface ReadStatesOptions {
  /** Residual layers, ascending; 0 is the embeddings. */
  readonly layers: readonly number[];
  /** Lengths of what other prompts begin with, too, ascending; an engine may read these tokens once for all of them. */
  readonly sharedTokens?: readonly number[] | undefined;
  readonly signal?: AbortSignal | undefined;
}
