import type { DecoderSession } from "../session/decoder-session.ts";
import { emptyKvBlock, type KvBlock, kvBytesOf, selectKvRows } from "../session/kv-block.ts";
import type { TokenSums } from "../session/vocabulary.ts";
import { extendRows } from "./extend-rows.ts";

export interface PrefilledPrompt {
  /** [P] */
  readonly tokenIds: readonly number[];
  /** @internal */
  readonly prefix: KvBlock;
  /** [V] logits of the first token after the prompt. */
  readonly logits: Float32Array;
  /** @internal Of these logits. */
  readonly sums: TokenSums;
  readonly layers: readonly number[];
  /** [layers * D] at the prompt's last token; null without layers. */
  readonly residual: Float32Array | null;
}

export interface PrefillOptions {
  /** Residual layers, 0 .. L, to read at the prompt's last token and at each one generated after it. */
  readonly layers?: readonly number[];
  readonly signal?: AbortSignal | undefined;
}

interface PrefillPromptOptions extends PrefillOptions {
  readonly cache?: PromptCache | undefined;
}

/** Fewer tokens take no longer to run again than to look for. */
const LEAST_SHARED = 32;
/** Tokens in one pass: it bounds the attention scores, [heads, chunk, context] floats, and how long others wait. */
const CHUNK_TOKENS = 256;

/** A prompt to run. */
export interface PromptTokens {
  /** [P] */
  readonly tokenIds: readonly number[];
  /** Lengths of what other prompts begin with, too, ascending: a system prompt, examples, each of the earlier turns. */
  readonly sharedTokens?: readonly number[] | undefined;
}

/** Prompts and beginnings of prompts that have been run, the latest ones. */
export interface PromptCache {
  readonly prompts: LruCache<PrefilledPrompt>;
  readonly beginnings: LruCache<KvBlock>;
}

interface LruCache<Value> {
  get(key: string): Value | undefined;
  set(key: string, value: Value, sizeBytes: number): void;
}

/** @param sizeBytes what each of the two kinds may take */
export const createPromptCache = (sizeBytes: number): PromptCache => ({
  prompts: createLruCache(sizeBytes),
  beginnings: createLruCache(sizeBytes),
});

function createLruCache<Value>(maxBytes: number): LruCache<Value> {
  const kept = new Map<string, { readonly value: Value; readonly sizeBytes: number }>();
  let total = 0;
  return {
    get(key) {
      const entry = kept.get(key);
      if (entry === undefined) return undefined;
      kept.delete(key); // and to the end, where the latest are
      kept.set(key, entry);
      return entry.value;
    },
    set(key, value, sizeBytes) {
      if (kept.has(key) || sizeBytes > maxBytes) return;
      kept.set(key, { value, sizeBytes });
      total += sizeBytes;
      for (const [oldest, entry] of kept) {
        if (total <= maxBytes) break;
        kept.delete(oldest);
        total -= entry.sizeBytes;
      }
    },
  };
}

/** The beginnings that are run by themselves: each some tokens longer than the one before. */
function worthKeeping(sharedTokens: readonly number[], promptTokens: number): readonly number[] {
  const kept: number[] = [];
  for (const end of sharedTokens)
    if (end < promptTokens && end - (kept.at(-1) ?? 0) >= LEAST_SHARED) kept.push(end);
  return kept;
}

/**
 * Runs a prompt, yielding after each pass but the last, so that whoever runs it can do something else in between. What
 * prompts share is run by itself, whether or not it is in the cache, so that a prompt's numbers do not depend on that.
 * @returns its keys and values as a prefix that any number of samples share
 */
export async function* prefillPrompt(
  session: DecoderSession,
  { tokenIds, sharedTokens = [] }: PromptTokens,
  { layers = [], signal, cache }: PrefillPromptOptions = {},
): AsyncGenerator<void, PrefilledPrompt> {
  const key = `${sharedTokens};${layers};${tokenIds}`;
  const earlier = cache?.prompts.get(key);
  if (earlier !== undefined) return earlier;
  const { config } = session;
  const prefix = emptyKvBlock(config, 1);
  const beginnings = worthKeeping(sharedTokens, tokenIds.length);
  // where a beginning was cut decides how its sums were rounded
  const keyOf = (count: number): string =>
    `${beginnings.slice(0, count)};${tokenIds.slice(0, beginnings[count - 1])}`;
  let suffix = emptyKvBlock(config, 1);
  let start = 0;
  let known = beginnings.length;
  for (; known > 0; known--) {
    const block = cache?.beginnings.get(keyOf(known));
    if (block === undefined) continue;
    suffix = selectKvRows(config, block, [0]);
    start = beginnings[known - 1] as number;
    break;
  }
  for (const [index, end] of beginnings.entries()) {
    if (index < known) continue;
    for (; start < end; start = Math.min(start + CHUNK_TOKENS, end)) {
      signal?.throwIfAborted();
      const chunk = tokenIds.slice(start, Math.min(start + CHUNK_TOKENS, end));
      ({ suffix } = await extendRows(session, [chunk], { prefix, suffix }));
      yield;
    }
    const block = cache === undefined ? null : selectKvRows(config, suffix, [0]);
    if (block !== null) cache?.beginnings.set(keyOf(index + 1), block, kvBytesOf(config, suffix));
  }
  for (; ; start += CHUNK_TOKENS) {
    signal?.throwIfAborted();
    const chunk = tokenIds.slice(start, start + CHUNK_TOKENS);
    const isLast = start + CHUNK_TOKENS >= tokenIds.length;
    const last = isLast ? [{ row: 0, offset: chunk.length - 1 }] : [];
    const trace = layers.length > 0 ? last : [];
    const options = { prefix, suffix, predict: last, trace, layers };
    const pass = await extendRows(session, [chunk], options);
    suffix = pass.suffix;
    if (isLast) {
      const { logits, sums, residuals } = pass;
      const prompt = {
        tokenIds,
        prefix: suffix,
        logits,
        sums: sums[0] as TokenSums,
        layers,
        residual: residuals[0] ?? null,
      };
      cache?.prompts.set(key, prompt, kvBytesOf(config, suffix) + logits.byteLength);
      return prompt;
    }
    yield;
  }
}
