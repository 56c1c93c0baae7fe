import type { BlockSettings, DecoderConfig } from "./decoder-config.ts";

/**
 * How scores are masked. `spans`: unused capacity and the new tokens' order, each in its own small mask. `full` and `sliding`: one mask over all spans, for blocks whose scores are soft-capped first,
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

/**
 * [rows, capacity] 0 where a row's span holds a token, very negative in what it does not use.
 * @param lengths tokens in use, per row
 */
export function capacityMask(lengths: readonly number[], capacity: number): Float32Array {
  const mask = new Float32Array(lengths.length * capacity);
  for (const [row, length] of lengths.entries())
    mask.fill(MASKED, row * capacity + length, (row + 1) * capacity);
  return mask;
}

/** [group * S, S] in which new token s sees new tokens 0 .. s */
export function newTokenMask(tokens: number, group: number): Float32Array {
  const mask = new Float32Array(group * tokens * tokens);
  for (let row = 0; row < group * tokens; row++) {
    mask.fill(MASKED, row * tokens + (row % tokens) + 1, (row + 1) * tokens);
  }
  return mask;
}

/** Numbers of tokens in a row's spans; of each capacity, the first so many are in use. */
interface MaskSpans {
  readonly prefixLength: number;
  readonly prefixCapacity: number;
  readonly suffixLength: number;
  readonly suffixCapacity: number;
  readonly tokens: number;
}

/**
 * [group * S, X + T + S] over one row's prefix, suffix and new tokens: every new token sees itself and what is before it,
 * as far back as the window reaches.
 * @param window tokens seen, the token itself included; null: all
 */
export function wholeMask(spans: MaskSpans, group: number, window: number | null): Float32Array {
  const { prefixLength, prefixCapacity, suffixLength, suffixCapacity, tokens } = spans;
  const firstNew = prefixCapacity + suffixCapacity;
  const width = firstNew + tokens;
  const mask = new Float32Array(group * tokens * width).fill(MASKED);
  for (let row = 0; row < group * tokens; row++) {
    const start = row * width;
    const own = row % tokens;
    const firstSeen = window === null ? 0 : prefixLength + suffixLength + own - window + 1;
    // `before` tokens lie before a span that begins at `column` and of which `length` are seen
    const show = (column: number, length: number, before: number): void => {
      const from = Math.min(length, Math.max(0, firstSeen - before));
      mask.fill(0, start + column + from, start + column + length);
    };
    show(0, prefixLength, 0);
    show(prefixCapacity, suffixLength, prefixLength);
    show(firstNew, own + 1, prefixLength + suffixLength);
  }
  return mask;
}
