import type { BlockSettings, DecoderConfig } from "./decoder-config.ts";

/**
 * How scores are masked. `spans`: the suffix's unused capacity and the new tokens' order, each in its own small mask,
 * nothing on the prefix. `full` and `sliding`: one mask over all spans, for blocks whose scores are soft-capped first,
 * or that see a window only.
 */
export type MaskKind = "spans" | "full" | "sliding";

/** The mask that a block's attention takes. */
export function maskKindOf(config: DecoderConfig, layer: number): MaskKind {
  const { sliding } = config.blocks[layer] as BlockSettings;
  if (sliding) return "sliding";
  return config.attentionSoftcap === null ? "spans" : "full";
}

/** The masks that a config's blocks take, each once. */
export const maskKinds = (config: DecoderConfig): ReadonlySet<MaskKind> =>
  new Set(config.blocks.map((_, layer) => maskKindOf(config, layer)));

/** Finite, so that a row of masked scores cannot become NaN, and far below any real score. */
const MASKED = -1e30;

/** Numbers of tokens in the three spans; of `suffixCapacity`, the first `suffixLength` are in use. */
interface MaskSpans {
  readonly prefix: number;
  readonly suffixLength: number;
  readonly suffixCapacity: number;
  readonly tokens: number;
}

/** [T] 0 where the suffix holds a token, very negative in its unused capacity */
export const suffixMask = ({ suffixCapacity, suffixLength }: MaskSpans): Float32Array =>
  new Float32Array(suffixCapacity).fill(MASKED, suffixLength);

/** [group * S, S] in which new token s sees new tokens 0 .. s */
export function newTokenMask(tokens: number, group: number): Float32Array {
  const mask = new Float32Array(group * tokens * tokens);
  for (let row = 0; row < group * tokens; row++) {
    mask.fill(MASKED, row * tokens + (row % tokens) + 1, (row + 1) * tokens);
  }
  return mask;
}

/**
 * [group * S, X + T + S] over prefix, suffix and new tokens: every new token sees itself and what is before it, as far
 * back as the window reaches.
 * @param window tokens seen, the token itself included; null: all
 */
export function wholeMask(spans: MaskSpans, group: number, window: number | null): Float32Array {
  const { prefix, suffixLength, suffixCapacity, tokens } = spans;
  const width = prefix + suffixCapacity + tokens;
  const firstNew = prefix + suffixCapacity;
  const gap = suffixCapacity - suffixLength;
  const mask = new Float32Array(group * tokens * width);
  for (let row = 0; row < group * tokens; row++) {
    const start = row * width;
    const own = row % tokens;
    mask.fill(MASKED, start + prefix + suffixLength, start + firstNew);
    mask.fill(MASKED, start + firstNew + own + 1, start + width);
    if (window === null) continue;
    // tokens before this position are out of the window; columns lie `gap` further right behind the suffix
    const firstSeen = prefix + suffixLength + own - window + 1;
    if (firstSeen <= 0) continue;
    const column = firstSeen >= prefix + suffixLength ? firstSeen + gap : firstSeen;
    mask.fill(MASKED, start, start + column);
  }
  return mask;
}
