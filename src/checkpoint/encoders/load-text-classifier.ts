import type { EncoderProvenance } from "../../engine/encoders/encoder.ts";
import type { TextInput } from "../../engine/encoders/text-encoder.ts";
import { SepError } from "../../errors.ts";
import { type LoadEncoderOptions, loadEncoder } from "./load-encoder.ts";
import { readLabels } from "./read-labels.ts";

/** What a classifier says of one text or pair. */
export interface Classification {
  /** [labels] */
  readonly logits: Float32Array;
  /** The text was longer than the model takes, and its end was cut off. */
  readonly truncated: boolean;
}

/** A model that sorts texts, or pairs of texts, under labels. */
export interface TextClassifier extends AsyncDisposable {
  readonly provenance: EncoderProvenance;
  /** In the order of the logits. */
  readonly labels: readonly string[];
  /**
   * @param inputs [N]; equal ones are computed once
   * @returns [N]
   */
  classify(
    inputs: readonly TextInput[],
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<readonly Classification[]>;
}

/**
 * Loads a model for sequence classification: safetensors weights of a known architecture, or an export to ONNX with
 * the output `logits`.
 * @throws SepError as `loadEncoder`
 */
export async function loadTextClassifier(
  reference: string,
  options: LoadEncoderOptions = {},
): Promise<TextClassifier> {
  const { encoder, plan } = await loadEncoder(reference, { ...options, use: "classify" }, async (config) => {
    const labels = readLabels(config);
    return { labels, labelCount: labels.length, maxTokens: null };
  });
  const { provenance } = encoder;
  const width = plan.labels.length;
  return {
    provenance,
    labels: plan.labels,
    classify: (inputs, { signal } = {}) =>
      encoder.run(
        inputs,
        ({ values, shape }, row, { truncated }) => {
          if (shape.at(-1) === width)
            return { logits: values.slice(row * width, (row + 1) * width), truncated };
          throw new SepError(
            "bad-checkpoint",
            `${provenance.id}: ${provenance.file} gives ${shape.at(-1)} logits, and config.json has ${width} labels.`,
          );
        },
        { signal },
      ),
    [Symbol.asyncDispose]: () => encoder[Symbol.asyncDispose](),
  };
}
