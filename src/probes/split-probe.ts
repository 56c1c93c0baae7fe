import type { Json } from "../formats/json.ts";
import type { FamiliarityDescription } from "./familiarity.ts";
import type { Probe, ProbeDescription } from "./probe.ts";

/** An array of a probe under the name that it has in files. */
export interface ProbeTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** What a probe is but its arrays. */
export interface DescribedProbe extends ProbeDescription {
  readonly intercept: number;
  readonly familiarity: (FamiliarityDescription & { readonly validation_questions: number }) | null;
}

/** A probe as files have it: arrays by name, and the rest as JSON. */
export function splitProbe(probe: Probe): {
  readonly description: { readonly [key: string]: Json };
  readonly tensors: readonly ProbeTensor[];
} {
  const { mean, scale, coefficients, hidden, familiarity, ...rest } = probe;
  const { width } = probe;
  const vector = (name: string, data: Float32Array): ProbeTensor => ({ name, shape: [data.length], data });
  const tensors = [
    vector("mean", mean),
    vector("scale", scale),
    vector("coefficients", coefficients),
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
