import type { ModelProfile } from "../checkpoint/load-model-profile.ts";
import type { OpeningEvent } from "../checkpoint/opening-event.ts";
import type { BatchUsage } from "../engine/generate/batcher.ts";
import type { SampleAnswersOptions, SampledAnswer } from "../engine/generate/generate.ts";
import type { StatesToRead, TokenState } from "../engine/generate/sample-with-states.ts";
import type { Prompt } from "../engine/tokenizer/build-prompt.ts";
import type { Json } from "../formats/json.ts";
import type { TokenEntropySupport } from "./run-record.ts";

/** A backend that samples answers. Disposing of it ends what only sampling needs; it starts again when used again. */
export interface AnswerBackend extends Partial<AsyncDisposable> {
  /** In every run record: "local", "vllm", or a user's own. */
  readonly name: string;
  readonly model: ModelProfile;
  /** Everything that determines the answers besides prompt, sampler and seed, for the manifest. */
  readonly identity: Json;
  readonly tokenEntropies: TokenEntropySupport;
  /**
   * Whether `draw` also reads hidden states, the same as the `StateBackend` that was opened with it; without this it does
   * not. `obstacle` says why not, with these settings: "the model is int8"; null if it does.
   */
  readonly readsStates?: { readonly obstacle: string | null };
  /**
   * Gets ready to answer prompts, and starts what takes time or memory, such as a server. It is called only where there
   * is something to sample, and again for every question set.
   * @param prompts all that will be asked
   * @throws SepError for prompts that this backend cannot answer, except too long ones, which `draw` refuses
   */
  openSampler(
    prompts: readonly Prompt[],
    options?: { readonly signal?: AbortSignal | undefined },
  ): AsyncGenerator<OpeningEvent, AnswerSampler>;
}

/** Samples answers; whoever opened it must dispose of it. */
export interface AnswerSampler extends AsyncDisposable {
  /** Questions to work on in parallel. */
  readonly concurrency: number;
  /**
   * Samples answers to one prompt. An answer depends on the prompt, the sampler, the seed, the stream key and its own
   * run id, as far as the backend's arithmetic is deterministic: not on which others are sampled with it.
   * @returns one answer per run id, in their order
   * @throws SepError `prompt-too-long`; the signal's reason
   */
  draw(prompt: Prompt, options: DrawOptions): Promise<readonly DrawnAnswer[]>;
  /** How full the batches have been since it was opened, where it has batches of its own. */
  usage?(): Promise<BatchUsage>;
}

export interface DrawOptions extends SampleAnswersOptions {
  /** Only asked of a backend that reads states while it samples. */
  readonly states?: StatesToRead | undefined;
}

export interface DrawnAnswer extends SampledAnswer {
  /** The states that were asked for, as far as there are any; `sep trace` reads what is not among them. */
  readonly states?: readonly TokenState[];
}
