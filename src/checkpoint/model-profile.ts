import type { DecoderConfig } from "../engine/graph/decoder-config.ts";
import type { LanguageModel, ModelName } from "../engine/language-model.ts";

/** Where a model runs: on the engine of this package, on a vLLM server, or in a Python process under nnsight. */
export const BACKEND_NAMES = ["local", "vllm", "nnsight"] as const;
export type BackendName = (typeof BACKEND_NAMES)[number];

/** What is known of a model without its weights; a loaded {@link LanguageModel} is one. */
export interface ModelProfile
  extends Pick<LanguageModel, "tokenizer" | "endTokenIds" | "generationDefaults"> {
  readonly provenance: ModelName;
  readonly config: Pick<DecoderConfig, "blockCount" | "hiddenSize" | "vocabularySize" | "maxPositions">;
}
