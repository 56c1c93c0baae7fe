import type { LayerStates } from "../layer-states.ts";
import type { DecoderSession } from "../session/decoder-session.ts";
import { appendKv, createKvStepRoom, type KvBlock } from "../session/kv-block.ts";
import type { TokenSums } from "../session/vocabulary.ts";

/** Which token of which row: `offset` counts from the row's first new token. */
export interface TokenPlace {
  readonly row: number;
  readonly offset: number;
}

export interface ExtendRowsOptions {
  /** Shared by all rows. */
  readonly prefix: KvBlock;
  /** Each row's own tokens so far. */
  readonly suffix: KvBlock;
  /** Places to predict the next token of. */
  readonly predict?: readonly TokenPlace[];
  /** Places to read the residual stream at, and the layers to read. */
  readonly trace?: readonly TokenPlace[];
  readonly layers?: readonly number[];
  readonly finalNorm?: boolean;
  /** Whether more tokens will follow. Without it the returned suffix lacks the last chunk. */
  readonly keepKv?: boolean;
  /** Longest stretch of tokens in one pass, per row. */
  readonly chunkTokens?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface ExtendRowsResult {
  readonly suffix: KvBlock;
  /** [predict, V] */
  readonly logits: Float32Array;
  /** [predict] */
  readonly sums: readonly TokenSums[];
  /** Per layer [trace, D]. */
  readonly residuals: LayerStates;
  /** [trace, D], or null when not asked for. */
  readonly finalNorms: Float32Array | null;
}

/** Bounds the attention scores of one pass: [heads, chunk, context] floats. */
const DEFAULT_CHUNK_TOKENS = 256;
/** Fills short rows to the right; causal attention keeps it invisible to every real token. */
const PADDING_ID = 0;

/**
 * Runs new tokens of B rows through the decoder, in chunks, on top of what the cache holds. Rows may differ in
 * length: short ones are padded at their right end, where no real token looks.
 * @param tokens per row its new token ids, at least one in the longest
 */
export async function extendRows(
  session: DecoderSession,
  tokens: readonly (readonly number[])[],
  {
    prefix,
    suffix: before,
    predict = [],
    trace = [],
    layers = [],
    finalNorm = false,
    keepKv = true,
    chunkTokens = DEFAULT_CHUNK_TOKENS,
    signal,
  }: ExtendRowsOptions,
): Promise<ExtendRowsResult> {
  const { vocabularySize, hiddenSize } = session.config;
  const longest = Math.max(...tokens.map((row) => row.length));
  let logits: Float32Array | null = null;
  const sums = new Array<TokenSums>(predict.length);
  let residuals: LayerStates = [];
  let finalNorms: Float32Array | null = null;
  let suffix = before;
  const room = createKvStepRoom(session.config);

  for (let start = 0; start < longest; start += chunkTokens) {
    signal?.throwIfAborted();
    const end = Math.min(start + chunkTokens, longest);
    const toPredict = placesWithin(predict, start, end);
    const toTrace = placesWithin(trace, start, end);
    const kv = keepKv || end < longest ? room(tokens.length, end - start) : null;
    const pass = await session.run({
      tokenIds: tokens.flatMap((row) =>
        Array.from({ length: end - start }, (_, i) => row[start + i] ?? PADDING_ID),
      ),
      rows: tokens.length,
      common: prefix.common,
      prefix,
      suffix,
      logitRows: toPredict.map(({ flat }) => flat),
      traceRows: toTrace.map(({ flat }) => flat),
      layers,
      finalNorm,
      kv,
    });
    for (const [i, { index }] of toPredict.entries()) sums[index] = pass.predicted[i] as TokenSums;
    if (toPredict.length === predict.length) {
      logits = pass.logits; // as always in decoding: megabytes that need no copy, since places keep their order
    } else {
      logits ??= new Float32Array(predict.length * vocabularySize);
      for (const [i, { index }] of toPredict.entries()) {
        const row = pass.logits.subarray(i * vocabularySize, (i + 1) * vocabularySize);
        logits.set(row, index * vocabularySize);
      }
    }
    if (toTrace.length === trace.length) {
      residuals = pass.residuals; // one pass had all places
      finalNorms = pass.finalNorm;
    } else if (toTrace.length > 0) {
      const makeRoom = (): Float32Array => new Float32Array(trace.length * hiddenSize);
      const place = (from: Float32Array, to: Float32Array): void => {
        for (const [i, { index }] of toTrace.entries())
          to.set(from.subarray(i * hiddenSize, (i + 1) * hiddenSize), index * hiddenSize);
      };
      if (residuals.length === 0) residuals = layers.map(makeRoom);
      for (const [l, residual] of pass.residuals.entries()) place(residual, residuals[l] as Float32Array);
      if (pass.finalNorm !== null) {
        finalNorms ??= makeRoom();
        place(pass.finalNorm, finalNorms);
      }
    }
    if (kv !== null) suffix = appendKv(session.config, suffix, kv);
  }
  return { suffix, logits: logits ?? new Float32Array(0), sums, residuals, finalNorms };
}

function placesWithin(
  places: readonly TokenPlace[],
  start: number,
  end: number,
): { readonly index: number; readonly flat: number }[] {
  return places.flatMap(({ row, offset }, index) =>
    offset >= start && offset < end ? [{ index, flat: row * (end - start) + offset - start }] : [],
  );
}
