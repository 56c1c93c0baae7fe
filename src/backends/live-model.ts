import type { ModelProfile } from "../checkpoint/load-model-profile.ts";
import type { OpeningEvent } from "../checkpoint/opening-event.ts";
import type { GenerateOptions, GenerationEvent, SampledAnswer } from "../engine/generate/generate.ts";
import type { ReadAnswerOptions } from "../engine/generate/read-answer.ts";
import type { Prompt } from "../engine/tokenizer/build-prompt.ts";
import type { NormState } from "../states/state-backend.ts";

/** A backend that answers as it is asked, with the hidden states that probes read. */
export interface LiveBackend {
  readonly model: ModelProfile;
  readonly normState: NormState;
  /** What its states are of, by the keys of a trace's metadata: `model`, `weights_sha256`, `tokenizer_sha256`, `dtype`. */
  readonly source: Readonly<Record<string, string>>;
  /** Gets ready, and starts what takes time or memory. Whoever opened the model disposes of it. */
  openLive(): AsyncGenerator<OpeningEvent, LiveModel>;
}

/** A model that is ready to answer. */
export interface LiveModel extends Pick<LiveBackend, "model" | "normState" | "source">, AsyncDisposable {
  /**
   * Answers a prompt. Any number of answers are generated at a time.
   * @returns one answer per run id
   * @throws SepError `prompt-too-long`; the signal's reason; SepError of the backend
   */
  generate(
    prompt: Prompt,
    options: Omit<GenerateOptions, "prompting">,
  ): AsyncGenerator<LiveEvent, readonly SampledAnswer[]>;
  /**
   * Reads a text as the answer; see `readAnswer`.
   * @throws SepError `bad-option` for a text that continues after its end; as `generate`
   */
  read(prompt: Prompt, text: string, options: ReadAnswerOptions): AsyncGenerator<LiveEvent, SampledAnswer>;
}

/** Of a backend that has states only when an answer is complete; it comes before the answer's end. */
export interface StatesEvent {
  readonly kind: "states";
  readonly row: number;
  /** [1 + T] of the prompt's last token and of each of the answer's: [layers * D]. */
  readonly residuals: readonly Float32Array[];
}

export type LiveEvent = GenerationEvent | StatesEvent;
