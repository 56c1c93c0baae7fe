import { SepError } from "../../errors.ts";
import type { ConfigReader } from "../graph/config-reader.ts";
import { bert, roberta } from "./bert.ts";
import { debertaV2 } from "./deberta-v2.ts";
import type { EncoderArchitecture } from "./encoder-architecture.ts";

const ARCHITECTURES: readonly EncoderArchitecture[] = [bert, debertaV2, roberta];

/** Fields that mean another forward pass in any encoder, and the values that do not. */
const GENERAL_LIMITS: readonly (readonly [field: string, harmless: readonly unknown[]])[] = [
  ["quantization_config", [null]],
  ["is_encoder_decoder", [false]],
  ["add_cross_attention", [false]],
];

/**
 * The encoder architecture of a config.
 * @throws SepError `unsupported-model` naming the model type and those that are implemented, or a field that no
 *   architecture here computes
 */
export function findEncoderArchitecture(config: ConfigReader): EncoderArchitecture {
  const modelType = config.text("model_type");
  const found = ARCHITECTURES.find(({ modelTypes }) => (modelTypes as readonly string[]).includes(modelType));
  if (found === undefined) {
    const known = ARCHITECTURES.flatMap((architecture) => architecture.modelTypes).join(", ");
    throw new SepError(
      "unsupported-model",
      `${config.path}: model_type "${modelType}" is not implemented. The local engine runs the encoders ${known}, and others from an ONNX export (onnx/model.onnx).`,
    );
  }
  for (const [field, harmless] of GENERAL_LIMITS) config.allow(field, harmless);
  return found;
}
