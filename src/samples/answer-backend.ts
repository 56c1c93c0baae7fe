import type { BackendName, ModelProfile } from "../checkpoint/model-profile.ts";
import type { SampleAnswersOptions, SampledAnswer } from "../engine/generate/sample-answers.ts";
import type { Prompt } from "../engine/tokenizer/build-prompt.ts";
import type { Json } from "../formats/json.ts";
import type { TokenEntropySupport } from "./run-record.ts";

/** Wherever a model samples answers. */
export interface AnswerBackend {
  readonly name: BackendName;
  readonly model: ModelProfile;
  /** All that decides the answers beside prompt, sampler and seed, for the manifest. */
  readonly identity: Json;
  readonly tokenEntropies: TokenEntropySupport;
  /**
   * Starts what takes time, such as a server. Called once per question set, and only if there is something to sample.
   * @returns progress, as sentences
   */
  prepare?(): AsyncGenerator<string, void>;
  /**
   * Called once all prompts are known, before the first is sampled.
   * @throws SepError for prompts that this backend cannot answer; prompts that are too long are left to `draw`
   */
  check?(prompts: readonly Prompt[], signal?: AbortSignal): Promise<void>;
  /** @param questions how many there are to do */
  openSampler(questions: number): Promise<AnswerSampler>;
}

/** Samples answers; whoever opened it closes it. */
export interface AnswerSampler extends AsyncDisposable {
  /** Questions to work on in parallel. */
  readonly concurrency: number;
  /**
   * Samples answers to one prompt. An answer depends on the prompt, the sampler, the seed, the stream key and its own
   * run id, as far as the backend's arithmetic is deterministic, and not on which others are sampled with it.
   * @returns one answer per run id, in their order
   * @throws SepError `prompt-too-long`; the signal's reason
   */
  draw(prompt: Prompt, options: SampleAnswersOptions): Promise<readonly SampledAnswer[]>;
}
