import type { BlockSettings, DecoderConfig } from "./decoder-config.ts";

/**
 * The spans of tokens that rows have in common: `common`, what many prompts begin with, such as examples; and behind it
 * `prefix`, the rest of one prompt.
 */
export const SHARED_SPANS = ["common", "prefix"] as const;
export type SharedSpan = (typeof SHARED_SPANS)[number];

export const eachSpan = <Value>(make: (span: SharedSpan) => Value): Readonly<Record<SharedSpan, Value>> => ({
  common: make("common"),
  prefix: make("prefix"),
});

/** How far back a block's tokens see: all that is before them, or a window of it. */
export type MaskKind = "full" | "sliding";

/** The mask that a block's attention takes. */
export const maskKindOf = (config: DecoderConfig, layer: number): MaskKind =>
  (config.blocks[layer] as BlockSettings).sliding ? "sliding" : "full";

/** The masks that a config's blocks take, each once. */
export const maskKinds = (config: DecoderConfig): ReadonlySet<MaskKind> =>
  new Set(config.blocks.map((_, layer) => maskKindOf(config, layer)));

/** Finite, so that a row of masked scores cannot become NaN, and far below any real score. */
const MASKED = -1e30;

/** Numbers of tokens in a row's spans; of each capacity, the first so many are in use. */
interface MaskSpans {
  readonly commonLength: number;
  readonly commonCapacity: number;
  readonly prefixLength: number;
  readonly prefixCapacity: number;
  readonly suffixLength: number;
  readonly suffixCapacity: number;
  readonly tokens: number;
}

/** onnxruntime's softmax sums so many numbers side by side. */
const WIDTH_STEP = 64;

/** Positions of no token: `gap` behind the prefix, and `padding`, at least one, behind the suffix. */
interface Filling {
  readonly gap: number;
  readonly padding: number;
}

/**
 * Where only the capacities of prefix or suffix differ, all scores keep their places among {@link WIDTH_STEP} numbers, so that
 * they are summed in the same order. A common span's capacity is a multiple of it.
 */
export const fillingFor = ({
  prefixCapacity,
  suffixCapacity,
  tokens,
}: Pick<MaskSpans, "prefixCapacity" | "suffixCapacity" | "tokens">): Filling => ({
  gap: (WIDTH_STEP - (prefixCapacity % WIDTH_STEP)) % WIDTH_STEP,
  padding: WIDTH_STEP - ((tokens + suffixCapacity) % WIDTH_STEP),
});

/**
 * [S, C + X + gap + S + T + padding] over what one row has in common with others, prefix, new tokens and suffix: every new token
 * sees itself and what is before it, as far back as the window reaches.
 * @param window tokens seen, the token itself included; null: all
 */
export function attentionMask(spans: MaskSpans, window: number | null): Float32Array {
  const { commonLength, commonCapacity, prefixLength, prefixCapacity, suffixLength, suffixCapacity, tokens } =
    spans;
  const { gap, padding } = fillingFor(spans);
  const firstNew = commonCapacity + prefixCapacity + gap;
  const firstOfSuffix = firstNew + tokens;
  const shared = commonLength + prefixLength;
  const width = firstOfSuffix + suffixCapacity + padding;
  const mask = new Float32Array(tokens * width).fill(MASKED);
  for (let own = 0; own < tokens; own++) {
    const start = own * width;
    const firstSeen = window === null ? 0 : shared + suffixLength + own - window + 1;
    // `before` tokens lie before a span that begins at `column` and of which `length` are seen
    const show = (column: number, length: number, before: number): void => {
      const from = Math.min(length, Math.max(0, firstSeen - before));
      mask.fill(0, start + column + from, start + column + length);
    };
    show(0, commonLength, 0);
    show(commonCapacity, prefixLength, commonLength);
    show(firstOfSuffix, suffixLength, shared);
    show(firstNew, own + 1, shared + suffixLength);
  }
  return mask;
}
