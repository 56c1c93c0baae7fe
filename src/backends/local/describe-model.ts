import type { LanguageModel } from "../../engine/language-model.ts";
import type { Json } from "../../formats/json.ts";

/**
 * What of a model decides a step's outputs: its weights, tokenizer, arithmetic and device. The name it was loaded by does
 * not count, since a checkpoint in another folder is the same model.
 */
export function describeModel({ provenance }: LanguageModel): Json {
  const { weights_sha256, tokenizer_sha256, dtype, device } = provenance;
  return { weights_sha256, tokenizer_sha256, dtype, device };
}
