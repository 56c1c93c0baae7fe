import { stateAt } from "../layer-states.ts";
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

/** A pass of fewer tokens takes about as long as one without them; a system prompt by default has some 20 to 40. */
const LEAST_SHARED = 16;
/** Tokens in one pass: it bounds the attention scores, [heads, chunk, context] floats, and how long others wait. */
export const CHUNK_TOKENS = 256;

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

/** A first beginning of fewer tokens is kept with each prompt: every span takes its time in every layer. */
const LEAST_COMMON = 128;

/** Tokens that a prompt has in common with others, whose keys and values are kept once for all of them. */
export function countCommon({ tokenIds, sharedTokens = [] }: PromptTokens): number {
  const [first = 0] = worthKeeping(sharedTokens, tokenIds.length);
  return first < LEAST_COMMON ? 0 : first;
}

/** The beginnings that are run by themselves: each some tokens longer than the one before. */
function worthKeeping(sharedTokens: readonly number[], promptTokens: number): readonly number[] {
  const kept: number[] = [];
  for (const end of sharedTokens)
    if (end < promptTokens && end - (kept.at(-1) ?? 0) >= LEAST_SHARED) kept.push(end);
  return kept;
}

/** A prompt that is run pass by pass, so that whoever runs it can do something else in between. */
export interface Prefill {
  /** Tokens of the next pass and of all that are left, with what the cache has by now; 0 if it has the prompt. */
  upcoming(): { readonly pass: number; readonly left: number };
  /**
   * Runs the next pass.
   * @returns the tokens that it ran and, after the last one, the prompt: its keys and values as a prefix that any number of
   *   samples share
   */
  advance(): Promise<{ readonly ran: number; readonly prefilled: PrefilledPrompt | null }>;
}

/**
 * Gets ready to run a prompt. What prompts share is run by itself, whether or not it is in the cache, so that a prompt's
 * numbers do not depend on that.
 */
export function createPrefill(
  session: DecoderSession,
  { tokenIds, sharedTokens = [] }: PromptTokens,
  { layers = [], signal, cache }: PrefillPromptOptions = {},
): Prefill {
  const { config } = session;
  const key = `${sharedTokens};${layers};${tokenIds}`;
  const beginnings = worthKeeping(sharedTokens, tokenIds.length);
  const ends = [...beginnings, tokenIds.length];
  // where a beginning was cut decides how its sums were rounded
  const keys = beginnings.map((end, index) => `${beginnings.slice(0, index + 1)};${tokenIds.slice(0, end)}`);
  const hasCommon = countCommon({ tokenIds, sharedTokens }) > 0;
  const nothing = emptyKvBlock(config, 1);
  /** The first beginning, if it is kept for all prompts that have it. */
  let common: KvBlock | undefined;
  let suffix = nothing;
  let start = 0;
  /** How many beginnings have been run. */
  let done = 0;

  /** How many beginnings have been run, here or for another prompt. */
  const known = (): number => {
    for (let count = beginnings.length; count > done; count--)
      if (cache?.beginnings.get(keys[count - 1] as string) !== undefined) return count;
    return done;
  };
  const placeOfNext = (count: number): { readonly from: number; readonly to: number } => {
    const from = count > done ? (beginnings[count - 1] as number) : start;
    return { from, to: Math.min(from + CHUNK_TOKENS, ends[count] as number) };
  };
  return {
    upcoming() {
      if (cache?.prompts.get(key) !== undefined) return { pass: 0, left: 0 };
      const { from, to } = placeOfNext(known());
      return { pass: to - from, left: tokenIds.length - from };
    },
    async advance() {
      const earlier = cache?.prompts.get(key);
      if (earlier !== undefined) return { ran: 0, prefilled: earlier };
      signal?.throwIfAborted();
      const count = known();
      const { from, to } = placeOfNext(count);
      if (count > done) {
        const block = cache?.beginnings.get(keys[count - 1] as string) as KvBlock;
        common = hasCommon && count === 1 ? block : block.common;
        suffix = hasCommon && count === 1 ? nothing : selectKvRows(config, block, [0]);
        done = count;
      }
      const chunk = tokenIds.slice(from, to);
      const isLast = to === tokenIds.length;
      const predict = isLast ? [{ row: 0, offset: chunk.length - 1 }] : [];
      const trace = layers.length > 0 ? predict : [];
      const prefix = { ...nothing, common };
      const pass = await extendRows(session, [chunk], { prefix, suffix, predict, trace, layers });
      suffix = pass.suffix;
      start = to;
      if (isLast) {
        const { logits, sums, residuals } = pass;
        const prefilled = {
          tokenIds,
          prefix: { ...suffix, common },
          logits,
          sums: sums[0] as TokenSums,
          layers,
          residual: trace.length > 0 ? stateAt(residuals, 0, config.hiddenSize) : null,
        };
        cache?.prompts.set(key, prefilled, kvBytesOf(config, suffix) + logits.byteLength);
        return { ran: chunk.length, prefilled };
      }
      if (to === ends[done]) {
        const block = { ...selectKvRows(config, suffix, [0]), common };
        cache?.beginnings.set(keys[done] as string, block, kvBytesOf(config, block));
        done += 1;
        if (hasCommon && done === 1) [common, suffix] = [block, nothing];
      }
      return { ran: chunk.length, prefilled: null };
    },
  };
}

/** Runs a prompt at once. */
export async function runPrefill(prefill: Prefill): Promise<PrefilledPrompt> {
  for (;;) {
    const { prefilled } = await prefill.advance();
    if (prefilled !== null) return prefilled;
  }
}
