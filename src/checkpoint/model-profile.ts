import type { DecoderConfig } from "../engine/graph/decoder-config.ts";
import type { LanguageModel, ModelName } from "../engine/language-model.ts";

/** What is known of a model without its weights; a loaded {@link LanguageModel} is one. */
export interface ModelProfile
  extends Pick<LanguageModel, "tokenizer" | "endTokenIds" | "generationDefaults"> {
  readonly provenance: ModelName;
  readonly config: Pick<DecoderConfig, "blockCount" | "hiddenSize" | "vocabularySize" | "maxPositions">;
}
