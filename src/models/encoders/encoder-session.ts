import { InferenceSession, Tensor } from "onnxruntime-node";
import { SepError } from "../../errors.ts";
import { ENCODER_TENSORS as names } from "./encoder-tensors.ts";

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

/** An encoder graph loaded in onnxruntime: one that was built here, or a model that was exported elsewhere. */
export interface EncoderSession extends AsyncDisposable {
  /** Runs some inputs as one batch, padded on the right to the longest. */
  run(inputs: readonly EncoderInput[]): Promise<EncoderOutput>;
}

export interface OpenEncoderOptions {
  readonly threads: number;
  /** Outputs of which the first that the graph has is read. */
  readonly outputs: readonly string[];
}

/** onnxruntime severity: errors only, so that its warnings stay off the user's screen. */
const LOG_ERRORS_ONLY = 3;

/** @throws SepError `unsupported-model` if the graph has other inputs, or none of the outputs */
export async function openEncoderSession(
  modelPath: string,
  { threads, outputs }: OpenEncoderOptions,
): Promise<EncoderSession> {
  const session = await InferenceSession.create(modelPath, {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: "all",
    logSeverityLevel: LOG_ERRORS_ONLY,
  });
  try {
    const output = chooseOutput(session, modelPath, outputs);
    return {
      async run(inputs) {
        const { [output]: tensor } = await session.run(makeFeeds(session.inputNames, inputs), [output]);
        const { data, dims } = tensor as Tensor;
        return { values: data as Float32Array, shape: dims };
      },
      [Symbol.asyncDispose]: () => session.release(),
    };
  } catch (error) {
    await session.release();
    throw error;
  }
}

function chooseOutput(
  { inputNames, outputNames }: InferenceSession,
  modelPath: string,
  outputs: readonly string[],
): string {
  const known: readonly string[] = [names.tokenIds, names.mask, names.tokenTypes];
  const strange = inputNames.find((name) => !known.includes(name));
  if (strange !== undefined) {
    throw new SepError(
      "unsupported-model",
      `${modelPath} has an input "${strange}", expected ${known.join(", ")}. Is it an encoder's export?`,
    );
  }
  const found = outputs.find((name) => outputNames.includes(name));
  if (found !== undefined) return found;
  throw new SepError(
    "unsupported-model",
    `${modelPath} has the outputs ${outputNames.join(", ")}, expected ${outputs.join(" or ")}. Was it exported for another task?`,
  );
}

/** What stands for padding does not matter: it is masked. Every vocabulary has a token 0. */
function makeFeeds(wanted: readonly string[], inputs: readonly EncoderInput[]): Record<string, Tensor> {
  const length = Math.max(...inputs.map(({ tokenIds }) => tokenIds.length));
  const dims = [inputs.length, length];
  const fill = (value: (input: EncoderInput, index: number) => number): Tensor => {
    const values = new BigInt64Array(inputs.length * length);
    for (const [row, input] of inputs.entries()) {
      for (let i = 0; i < input.tokenIds.length; i++) values[row * length + i] = BigInt(value(input, i));
    }
    return new Tensor("int64", values, dims);
  };
  const feeds = {
    [names.tokenIds]: fill(({ tokenIds }, i) => tokenIds[i] as number),
    [names.mask]: fill(() => 1),
    [names.tokenTypes]: fill(({ tokenTypes }, i) => tokenTypes[i] as number),
  };
  return Object.fromEntries(Object.entries(feeds).filter(([name]) => wanted.includes(name)));
}
