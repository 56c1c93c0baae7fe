import type { DecoderConfig } from "./graph/decoder-config.ts";
import { everyLayer } from "./language-model.ts";
import { type LayerName, resolveLayer } from "./layer-names.ts";

/**
 * The residual layers that a choice stands for, ascending, each once.
 * @throws SepError as `resolveLayer` does
 */
export const resolveLayers = (
  config: Pick<DecoderConfig, "blockCount">,
  layers: "all" | readonly LayerName[],
): readonly number[] =>
  layers === "all"
    ? everyLayer(config)
    : [...new Set(layers.map((layer) => resolveLayer(layer, config.blockCount)))].sort((a, b) => a - b);
