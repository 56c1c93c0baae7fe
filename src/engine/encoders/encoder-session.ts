import { SepError } from "../../errors.ts";
import type { OnnxModel, Runtime, Session, Tensor, Tensors } from "../runtime/runtime.ts";
import { ENCODER_TENSORS as names } from "./encoder-architecture.ts";

/** One text, or two together, as tokens. */
export interface EncoderInput {
  readonly tokenIds: readonly number[];
  /** Per token 0, or 1 for the second text. */
  readonly tokenTypes: readonly number[];
}

export interface EncoderOutput {
  readonly values: Float32Array;
  /** [B, labels] or [B, S, D] */
  readonly shape: readonly number[];
}

/** An encoder graph that is loaded: one that was built here, or a model that was exported elsewhere. */
export interface EncoderSession extends AsyncDisposable {
  /** The length that every batch is padded to, where an export has a fixed one; else null. */
  readonly fixedLength: number | null;
  /** Runs some inputs as one batch, padded on the right to the longest, or to the fixed length. */
  run(inputs: readonly EncoderInput[]): Promise<EncoderOutput>;
}

export interface OpenEncoderOptions {
  /** What errors call the model. */
  readonly shown: string;
  readonly threads: number;
  /** Outputs of which the first that the graph has is read. */
  readonly outputs: readonly string[];
  /** Whether the graph multiplies integers. */
  readonly quantised?: boolean;
}

/** @throws SepError `unsupported-model` if the graph has other inputs, or none of the outputs */
export async function openEncoderSession(
  runtime: Runtime,
  model: OnnxModel,
  { shown, threads, outputs, quantised = false }: OpenEncoderOptions,
): Promise<EncoderSession> {
  const session = await runtime.createSession(model, {
    threads,
    multipliesIntegers: quantised,
  });
  try {
    const output = chooseOutput(session, shown, outputs);
    const fixedLength = readFixedLength(session, shown);
    const inputNames = session.inputs.map(({ name }) => name);
    return {
      fixedLength,
      async run(inputs) {
        const { [output]: tensor } = await session.run(makeFeeds(inputNames, inputs, fixedLength), {
          [output]: null,
        });
        const { data, dims } = tensor as Tensor;
        return { values: data as Float32Array, shape: dims };
      },
      [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
    };
  } catch (error) {
    await session[Symbol.asyncDispose]();
    throw error;
  }
}

function chooseOutput({ inputs, outputNames }: Session, shown: string, outputs: readonly string[]): string {
  const known: readonly string[] = [names.tokenIds, names.mask, names.tokenTypes];
  const strange = inputs.find(({ name }) => !known.includes(name))?.name;
  if (strange !== undefined) {
    throw new SepError(
      "unsupported-model",
      `${shown} has an input "${strange}", expected ${known.join(", ")}. Is it an encoder's export?`,
    );
  }
  const found = outputs.find((name) => outputNames.includes(name));
  if (found !== undefined) return found;
  throw new SepError(
    "unsupported-model",
    `${shown} has the outputs ${outputNames.join(", ")}, expected ${outputs.join(" or ")}. Was it exported for another task?`,
  );
}

/** Encoders read 512 tokens, a few 8192; memory for a batch of padded texts is taken before they are read. */
const LONGEST_FIXED = 1 << 17;

/**
 * @throws SepError `unsupported-model` for exports of one text at a time, or with tokens of another type,
 *   `hostile-model`
 */
function readFixedLength({ inputs }: Session, shown: string): number | null {
  const ids = inputs.find(({ name }) => name === names.tokenIds);
  const { type, shape } = ids ?? { type: "nothing", shape: [] };
  const [rows, length] = shape;
  if (typeof length === "number" && length > LONGEST_FIXED) {
    throw new SepError(
      "hostile-model",
      `${shown} pads every text to ${length} tokens, expected at most ${LONGEST_FIXED}. Use an export from a source that you trust.`,
    );
  }
  if (type === "int64" && shape.length === 2 && typeof rows === "string") {
    return typeof length === "number" ? length : null;
  }
  throw new SepError(
    "unsupported-model",
    `${shown} takes ${names.tokenIds} as ${type} [${shape.join(", ")}], expected int64 [batch, sequence] for any batch. Export it with dynamic axes.`,
  );
}

/** What stands for padding does not matter: it is masked. Every vocabulary has a token 0. */
function makeFeeds(
  wanted: readonly string[],
  inputs: readonly EncoderInput[],
  fixedLength: number | null,
): Tensors {
  const length = fixedLength ?? Math.max(...inputs.map(({ tokenIds }) => tokenIds.length));
  const dims = [inputs.length, length];
  const fill = (value: (input: EncoderInput, index: number) => number): Tensor => {
    const values = new BigInt64Array(inputs.length * length);
    for (const [row, input] of inputs.entries()) {
      for (let i = 0; i < input.tokenIds.length; i++) values[row * length + i] = BigInt(value(input, i));
    }
    return { type: "int64", data: values, dims };
  };
  const feeds = {
    [names.tokenIds]: fill(({ tokenIds }, i) => tokenIds[i] as number),
    [names.mask]: fill(() => 1),
    [names.tokenTypes]: fill(({ tokenTypes }, i) => tokenTypes[i] as number),
  };
  return Object.fromEntries(Object.entries(feeds).filter(([name]) => wanted.includes(name)));
}
