import type { DecoderSession } from "../session/decoder-session.ts";
import { emptyKvBlock, type KvBlock } from "../session/kv-block.ts";
import { extendRows } from "./extend-rows.ts";

export interface PrefilledPrompt {
  /** [P] */
  readonly tokenIds: readonly number[];
  readonly prefix: KvBlock;
  /** [V] logits of the first token after the prompt. */
  readonly logits: Float32Array;
  readonly layers: readonly number[];
  /** [layers * D] at the prompt's last token; null without layers. */
  readonly residual: Float32Array | null;
}

export interface PrefillOptions {
  /** Residual layers, 0 .. L, to read at the prompt's last token and at each one generated after it. */
  readonly layers?: readonly number[];
  readonly signal?: AbortSignal | undefined;
}

/** Tokens in one pass: it bounds the attention scores, [heads, chunk, context] floats, and how long others wait. */
const CHUNK_TOKENS = 256;

/**
 * Runs a prompt, yielding after each pass but the last, so that whoever runs it can do something else in between.
 * @returns its keys and values as a prefix that any number of samples share
 */
export async function* prefillPrompt(
  session: DecoderSession,
  tokenIds: readonly number[],
  { layers = [], signal }: PrefillOptions = {},
): AsyncGenerator<void, PrefilledPrompt> {
  const prefix = emptyKvBlock(session.config, 1);
  let suffix = emptyKvBlock(session.config, 1);
  for (let start = 0; ; start += CHUNK_TOKENS) {
    signal?.throwIfAborted();
    const chunk = tokenIds.slice(start, start + CHUNK_TOKENS);
    const isLast = start + CHUNK_TOKENS >= tokenIds.length;
    const last = isLast ? [{ row: 0, offset: chunk.length - 1 }] : [];
    const trace = layers.length > 0 ? last : [];
    const options = { prefix, suffix, predict: last, trace, layers };
    const pass = await extendRows(session, [chunk], options);
    suffix = pass.suffix;
    if (isLast)
      return { tokenIds, prefix: suffix, logits: pass.logits, layers, residual: pass.residuals[0] ?? null };
    yield;
  }
}
