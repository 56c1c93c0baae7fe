import { setImmediate as nextTurn } from "node:timers/promises";
import type { EncoderDtype } from "../../checkpoint/encoders/encoder-files.ts";
import type { ModelName } from "../language-model.ts";
import type { EncoderOutput, EncoderSession } from "./encoder-session.ts";
import { planBatches } from "./plan-batches.ts";
import { type EncodedText, encodeTexts, type TextEncoderParts, type TextInput } from "./text-encoder.ts";

/** What identifies an encoder; part of every artefact made with it. */
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

export interface EncoderParts extends TextEncoderParts {
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
 * what a block hands to the next no longer fits into the processor's cache.
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
        signal?.throwIfAborted();
        const output = await session.run(batch.map((index) => encoded[index] as EncodedText));
        for (const [row, index] of batch.entries()) {
          results.set(distinctKeys[index] as string, read(output, row, encoded[index] as EncodedText));
        }
        // onnxruntime computes on this thread: without a turn of the event loop nobody could abort
        await nextTurn();
      }
      return keys.map((key) => results.get(key) as Result);
    },
    async [Symbol.asyncDispose]() {
      await session[Symbol.asyncDispose]();
      parts.tokenizer[Symbol.dispose]?.();
    },
  };
}
