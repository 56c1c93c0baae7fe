import type { BackendName, ModelProfile } from "../checkpoint/model-profile.ts";
import type { SampleAnswersOptions, SampledAnswer } from "../engine/generate/sample-answers.ts";
import type { Prompt } from "../engine/tokenizer/build-prompt.ts";
import type { Json } from "../formats/json.ts";

/**
 * What token entropies are computed over: the whole vocabulary, or the 20 most likely tokens with their probabilities
 * scaled to sum to 1. The second is lower, and the two cannot be compared.
 */
export const TOKEN_ENTROPY_SUPPORTS = ["vocabulary", "top-20"] as const;
export type TokenEntropySupport = (typeof TOKEN_ENTROPY_SUPPORTS)[number];

/** Wherever a model draws answers. */
export interface AnswerBackend {
  readonly name: BackendName;
  readonly model: ModelProfile;
  /** All that decides the answers beside prompt, sampler and seed, for the manifest. */
  readonly identity: Json;
  readonly tokenEntropies: TokenEntropySupport;
  /**
   * Gets ready what takes time, such as a server; asked only where there is something to do, and again for every set.
   * @returns how it gets on, as sentences
   */
  prepare?(): AsyncGenerator<string, void>;
  /**
   * Said once all prompts are known and before any is asked.
   * @throws SepError for prompts that this backend cannot answer, but for those that are too long, which `draw` refuses
   */
  check?(prompts: readonly Prompt[], signal?: AbortSignal): Promise<void>;
  /** @param questions how many there are to do */
  openSampler(questions: number): Promise<AnswerSampler>;
}

/** Draws answers; it belongs to whoever opened it. */
export interface AnswerSampler extends AsyncDisposable {
  /** Questions to have under way at a time. */
  readonly concurrency: number;
  /**
   * Draws answers to one prompt. An answer depends on the prompt, the sampler, the seed, the stream key and its own
   * run id, as far as the backend's arithmetic is deterministic: not on which others are drawn with it.
   * @returns one answer a run id, in their order
   * @throws SepError `prompt-too-long`; the signal's reason
   */
  draw(prompt: Prompt, options: SampleAnswersOptions): Promise<readonly SampledAnswer[]>;
}
