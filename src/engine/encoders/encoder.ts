import type { ModelName } from "../language-model.ts";
import type { EncoderOutput, EncoderSession } from "./encoder-session.ts";
import { type EncodedText, encodeTexts, type TextEncoderParts, type TextInput } from "./text-encoder.ts";

export const ENCODER_DTYPES = ["float32", "int8"] as const;
export type EncoderDtype = (typeof ENCODER_DTYPES)[number];

/** What identifies an encoder; part of every artifact made with it. */
export interface EncoderProvenance extends ModelName {
  /** The file that its weights come from, or the first of them, within the repository. */
  readonly file: string;
  /** SHA-256 over the weight files' bytes and `config.json`. */
  readonly weights_sha256: string;
  /** SHA-256 of `tokenizer.json`. */
  readonly tokenizer_sha256: string;
  readonly dtype: EncoderDtype;
  /** Longest input; what is longer is cut. */
  readonly max_tokens: number;
}

/** An encoder that is ready to read texts, whatever is made of its output. */
export interface Encoder extends AsyncDisposable {
  readonly provenance: EncoderProvenance;
  /**
   * Reads texts in batches of similar length; equal ones are read once.
   * @param read what becomes of one text's part of a batch's output; the output's memory is not kept
   * @returns [N]
   */
  run<Result>(
    inputs: readonly TextInput[],
    read: (output: EncoderOutput, row: number, input: EncodedText) => Result,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<Result[]>;
}

interface EncoderParts extends TextEncoderParts {
  readonly provenance: EncoderProvenance;
  readonly session: EncoderSession;
  /**
   * Quantised exports scale a whole batch's activations together: a text's result would depend on the texts beside it,
   * so each is a batch of its own.
   */
  readonly oneAtATime: boolean;
}

/**
 * Tokens of a batch, padding included: above a few hundred, larger batches are no faster, and in int8 slower, since
 * what a block hands to the next no longer fits into the CPU's cache.
 */
const BATCH_TOKENS = 640;

export function createEncoder(parts: EncoderParts): Encoder {
  const { provenance, session, oneAtATime } = parts;
  return {
    provenance,
    async run<Result>(
      inputs: readonly TextInput[],
      read: (output: EncoderOutput, row: number, input: EncodedText) => Result,
      { signal }: { readonly signal?: AbortSignal | undefined } = {},
    ): Promise<Result[]> {
      const keys = inputs.map((input) => JSON.stringify(input));
      const distinct = new Map(keys.map((key, index) => [key, inputs[index] as TextInput]));
      const encoded = encodeTexts(parts, [...distinct.values()]);
      const results = new Map<string, Result>();
      const distinctKeys = [...distinct.keys()];
      const lengths = encoded.map(({ tokenIds }) => tokenIds.length);
      for (const batch of planBatches(lengths, oneAtATime ? 1 : BATCH_TOKENS)) {
        // every run of a session begins with a turn of the event loop, in which somebody may abort
        signal?.throwIfAborted();
        const output = await session.run(batch.map((index) => encoded[index] as EncodedText));
        for (const [row, index] of batch.entries()) {
          results.set(distinctKeys[index] as string, read(output, row, encoded[index] as EncodedText));
        }
      }
      return keys.map((key) => results.get(key) as Result);
    },
    async [Symbol.asyncDispose]() {
      await session[Symbol.asyncDispose]();
      parts.tokenizer[Symbol.dispose]?.();
    },
  };
}

/**
 * Groups texts of similar length, so that little padding is computed: longest first, as many at a time as their
 * number times the longest of them allows.
 * @param lengths   [N] tokens of each text
 * @param maxTokens of a batch, padding included; a text that is longer is a batch of its own
 * @returns indices of the texts, every one once
 */
export function planBatches(lengths: readonly number[], maxTokens: number): number[][] {
  const order = lengths.map((_, index) => index).sort((a, b) => (lengths[b] ?? 0) - (lengths[a] ?? 0));
  const batches: number[][] = [];
  let batch: number[] = [];
  for (const index of order) {
    const longest = lengths[batch[0] ?? index] ?? 0;
    if (batch.length > 0 && (batch.length + 1) * longest > maxTokens) {
      batches.push(batch);
      batch = [];
    }
    batch.push(index);
  }
  return batch.length === 0 ? batches : [...batches, batch];
}

export type Pooling = "mean" | "cls";

/**
 * One vector of a text's many, of length 1.
 * @param output [B, S, D], or [B, D] if the model has pooled already
 * @param length the row's tokens, without padding
 * @returns [D]
 */
export function poolTokens(
  { values, shape }: EncoderOutput,
  row: number,
  length: number,
  pooling: Pooling,
): Float32Array {
  const width = shape.at(-1) as number;
  const stride = shape.length === 3 ? (shape[1] as number) * width : width;
  const tokens = shape.length === 3 && pooling === "mean" ? length : 1;
  const sums = new Float64Array(width);
  for (let token = 0; token < tokens; token++) {
    const start = row * stride + token * width;
    for (let i = 0; i < width; i++) sums[i] = (sums[i] as number) + (values[start + i] as number);
  }
  // the mean's divisor drops out
  const norm = Math.sqrt(sums.reduce((sum, value) => sum + value * value, 0));
  return Float32Array.from(sums, (value) => (norm === 0 ? 0 : value / norm));
}
