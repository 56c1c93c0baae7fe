import { SepError } from "../errors.ts";
import type { DecoderConfig } from "./graph/decoder-config.ts";

/**
 * The residual layers that a choice stands for, ascending, each once.
 * @throws SepError as {@link resolveLayer}
 */
export const resolveLayers = (
  config: Pick<DecoderConfig, "blockCount">,
  layers: "all" | readonly LayerName[],
): readonly number[] =>
  layers === "all"
    ? everyLayer(config)
    : [...new Set(layers.map((layer) => resolveLayer(layer, config.blockCount)))].sort((a, b) => a - b);

/** Residual layers 0 .. L. */
export const everyLayer = ({ blockCount }: Pick<DecoderConfig, "blockCount">): number[] =>
  Array.from({ length: blockCount + 1 }, (_, layer) => layer);

/** A residual layer: 0 .. L, or TransformerLens' name for it. */
export type LayerName = number | string;

/**
 * The residual layer's index: 0 = embeddings, l = after block l.
 *
 * Accepts numbers (negative ones count from the last layer), digits as text, and TransformerLens'
 * hook names: `hook_embed` -> 0, `blocks.{i}.hook_resid_pre` -> i, `blocks.{i}.hook_resid_post` -> i + 1.
 * @param blockCount L
 * @throws SepError `bad-option`
 */
export function resolveLayer(name: LayerName, blockCount: number): number {
  const layer = parseLayer(name);
  const resolved = layer !== null && layer < 0 ? blockCount + 1 + layer : layer;
  if (resolved === null || !Number.isInteger(resolved) || resolved < 0 || resolved > blockCount) {
    throw new SepError(
      "bad-option",
      `Got layer ${JSON.stringify(name)}; this model has residual layers 0 (embeddings) to ${blockCount}, also known as blocks.{0..${blockCount - 1}}.hook_resid_post.`,
    );
  }
  return resolved;
}

function parseLayer(name: LayerName): number | null {
  if (typeof name === "number") return name;
  if (name === "hook_embed") return 0;
  const hook = /^blocks\.(\d+)\.hook_resid_(pre|post)$/.exec(name);
  if (hook !== null) return Number(hook[1]) + (hook[2] === "post" ? 1 : 0);
  return /^-?\d+$/.test(name) ? Number(name) : null;
}
