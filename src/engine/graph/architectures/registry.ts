import { SepError } from "../../../errors.ts";
import { ENCODER_TYPES } from "../../encoders/encoder-architecture.ts";
import type { ConfigReader } from "../config-reader.ts";
import type { Architecture } from "./architecture.ts";
import { gemma2 } from "./gemma2.ts";
import { gemma3, gemma3Text } from "./gemma3.ts";
import { gptNeox } from "./gpt-neox.ts";
import { gpt2 } from "./gpt2.ts";
import { llama } from "./llama.ts";
import { mistral } from "./mistral.ts";
import { olmo2 } from "./olmo2.ts";
import { phi3 } from "./phi3.ts";
import { qwen2 } from "./qwen2.ts";
import { qwen3 } from "./qwen3.ts";

const ARCHITECTURES: readonly Architecture[] = [
  gpt2,
  gptNeox,
  llama,
  mistral,
  qwen2,
  qwen3,
  gemma2,
  gemma3Text,
  gemma3,
  phi3,
  olmo2,
];

/** Fields that mean another forward pass in any decoder, and the values that do not. */
const GENERAL_LIMITS: readonly (readonly [field: string, harmless: readonly unknown[]])[] = [
  ["quantization_config", [null]],
  ["is_causal", [true]],
  ["is_encoder_decoder", [false]],
  ["add_cross_attention", [false]],
  ["per_layer_config", [null]],
  ["attention_chunk_size", [null]],
  ["use_mrope", [false]],
  ["num_experts", [null, 0]],
  ["num_local_experts", [null, 0]],
  ["n_routed_experts", [null, 0]],
];

/**
 * The architecture of a config.
 * @throws SepError `unsupported-model` naming the model type and those that are implemented, or a field that no
 *   architecture here computes
 */
export function findArchitecture(config: ConfigReader): Architecture {
  const modelType = config.text("model_type");
  const found = ARCHITECTURES.find((architecture) => architecture.modelTypes.includes(modelType));
  if ((ENCODER_TYPES as readonly string[]).includes(modelType)) {
    throw new SepError(
      "unsupported-model",
      `${config.path}: model_type "${modelType}" is an encoder, which cannot generate text. Use it to compare answers; see docs/nli.md.`,
    );
  }
  if (found === undefined) {
    const known = ARCHITECTURES.flatMap((architecture) => architecture.modelTypes).join(", ");
    throw new SepError(
      "unsupported-model",
      `${config.path}: model_type "${modelType}" is not implemented; the local engine knows ${known}.`,
    );
  }
  for (const [field, harmless] of GENERAL_LIMITS) config.allow(field, harmless);
  return found;
}
