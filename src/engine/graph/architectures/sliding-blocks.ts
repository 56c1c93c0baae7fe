import { SepError } from "../../../errors.ts";
import type { ConfigReader } from "../config-reader.ts";
import type { DecoderConfig } from "../decoder-config.ts";

/** Values of `layer_types` that the graph computes. */
const LAYER_TYPES = ["full_attention", "sliding_attention"];

/**
 * The config with a sliding window in some of its blocks. A window as long as the model's context changes nothing and
 * is left out.
 * @param sliding [L]
 */
export function withSlidingBlocks(
  decoder: DecoderConfig,
  window: number,
  sliding: readonly boolean[],
): DecoderConfig {
  if (window >= decoder.maxPositions || !sliding.includes(true)) return decoder;
  return {
    ...decoder,
    window,
    blocks: decoder.blocks.map((block, layer) => ({ ...block, sliding: sliding[layer] === true })),
  };
}

/**
 * Which blocks slide: as `layer_types` says, or else as the architecture's own pattern does.
 * @throws SepError `unsupported-model` for a type that is not implemented, `bad-checkpoint` for a list of another
 *   length than the model
 */
export function readSlidingLayers(
  config: ConfigReader,
  blockCount: number,
  pattern: (layer: number) => boolean,
): readonly boolean[] {
  const types = config.texts("layer_types");
  if (types === null) return Array.from({ length: blockCount }, (_, layer) => pattern(layer));
  const other = types.find((type) => !LAYER_TYPES.includes(type));
  if (other !== undefined) {
    throw new SepError(
      "unsupported-model",
      `${config.path}: "layer_types" has "${other}"; the local engine implements ${LAYER_TYPES.join(" and ")}.`,
    );
  }
  if (types.length !== blockCount) {
    throw new SepError(
      "bad-checkpoint",
      `${config.path}: "layer_types" has ${types.length} entries, and the model ${blockCount} layers.`,
    );
  }
  return types.map((type) => type === "sliding_attention");
}

/**
 * For architectures without windows: transformers' forward pass ignores these fields there, and its cache does not.
 * @throws SepError `unsupported-model`
 */
export function refuseWindows(config: ConfigReader): void {
  config.allow("sliding_window", [null]);
  const other = config.texts("layer_types")?.find((type) => type !== "full_attention");
  if (other !== undefined) {
    throw new SepError(
      "unsupported-model",
      `${config.path}: "layer_types" has "${other}"; for this architecture the local engine implements full_attention.`,
    );
  }
}
