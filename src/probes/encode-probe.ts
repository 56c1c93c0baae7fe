import { encodeSafetensors } from "../formats/encode-safetensors.ts";
import { type Json, stableStringify } from "../formats/json.ts";
import { PROBE_FORMAT } from "./parse-probe.ts";
import type { DescribedProbe, Probe, UntrainedProbe } from "./probe.ts";

/** The content of a probe's two files, which `parseProbe` reads. */
interface EncodedProbe {
  /** Of `*.safetensors`; without tensors if the probe is untrained. */
  readonly weights: Uint8Array;
  /**
   * The text of `*.json`.
   * @param stored name and SHA-256 of the file that the weights are in
   */
  describe(stored: { readonly file: string; readonly sha256: string }): string;
}

export function encodeProbe(probe: Probe | UntrainedProbe): EncodedProbe {
  const { description, tensors } =
    probe.kind === "untrained"
      ? { description: { ...probe } as unknown as Record<string, Json>, tensors: [] }
      : splitProbe(probe);
  return {
    weights: encodeSafetensors(tensors.map((tensor) => ({ ...tensor, dtype: "F32" }))),
    describe: (weights) => `${stableStringify({ ...PROBE_FORMAT, ...description, weights }, 2)}\n`,
  };
}

/** An array of a probe under the name that it has in files. */
interface ProbeTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** A probe as files have it: arrays by name, and the rest as JSON. */
export function splitProbe(probe: Probe): {
  readonly description: { readonly [key: string]: Json };
  readonly tensors: readonly ProbeTensor[];
} {
  const { mean, scale, coefficients, hidden, query, familiarity, ...rest } = probe;
  const { width } = probe;
  const vector = (name: string, data: Float32Array): ProbeTensor => ({ name, shape: [data.length], data });
  const tensors = [
    vector("mean", mean),
    vector("scale", scale),
    vector("coefficients", coefficients),
    ...(query === undefined ? [] : [vector("query", query)]),
    ...(hidden === null
      ? []
      : [
          { name: "hidden_weights", shape: [width, hidden.biases.length], data: hidden.weights },
          vector("hidden_biases", hidden.biases),
        ]),
  ];
  if (familiarity === null)
    return {
      description: { ...rest, familiarity } satisfies DescribedProbe as unknown as JsonObject,
      tensors,
    };
  const { centre, directions, variances, distances, ...told } = familiarity;
  const description = {
    ...rest,
    familiarity: { ...told, validation_questions: distances.length },
  } satisfies DescribedProbe as unknown as JsonObject;
  return {
    description,
    tensors: [
      ...tensors,
      vector("familiarity_centre", centre),
      { name: "familiarity_directions", shape: [variances.length, width], data: directions },
      vector("familiarity_variances", variances),
      vector("familiarity_distances", distances),
    ],
  };
}

type JsonObject = { readonly [key: string]: Json };
