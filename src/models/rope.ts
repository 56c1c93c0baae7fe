import { SepError } from "../errors.ts";
import type { ConfigReader } from "./config-reader.ts";

/** How rotary position embeddings turn: the base, and how long contexts stretch it. */
export interface RopeSettings {
  readonly theta: number;
  readonly scaling: RopeScaling;
}

export type RopeScaling =
  | { readonly kind: "default" }
  | { readonly kind: "linear"; readonly factor: number }
  /** [headSize / 2] what each frequency is divided by: how GGUF files store Llama 3's stretch. */
  | { readonly kind: "frequency_factors"; readonly factors: readonly number[] }
  | {
      readonly kind: "llama3";
      readonly factor: number;
      readonly lowFrequencyFactor: number;
      readonly highFrequencyFactor: number;
      readonly originalMaxPositions: number;
    };

const DEFAULT_THETA = 10_000;

/**
 * Reads the rotary settings of `config.json`, in both spellings: `rope_theta` + `rope_scaling`, and the
 * `rope_parameters` of transformers 5.
 * @throws SepError `unsupported-model` for a rope type that is not implemented
 */
export function readRopeSettings(config: ConfigReader): RopeSettings {
  const section = config.section("rope_parameters") ?? config.section("rope_scaling");
  const theta = section?.has("rope_theta")
    ? section.number("rope_theta")
    : config.number("rope_theta", DEFAULT_THETA);
  if (section === null) return { theta, scaling: { kind: "default" } };
  const kind = section.has("rope_type") ? section.text("rope_type") : section.text("type", "default");
  switch (kind) {
    case "default":
      return { theta, scaling: { kind } };
    case "linear":
      return { theta, scaling: { kind, factor: section.number("factor") } };
    case "frequency_factors":
      return { theta, scaling: { kind, factors: section.numbers("factors") } };
    case "llama3":
      return {
        theta,
        scaling: {
          kind,
          factor: section.number("factor"),
          lowFrequencyFactor: section.number("low_freq_factor"),
          highFrequencyFactor: section.number("high_freq_factor"),
          originalMaxPositions: section.size("original_max_position_embeddings"),
        },
      };
    default:
      throw new SepError(
        "unsupported-model",
        `${section.path}: rope type "${kind}" is not implemented; the local engine knows default, linear and llama3.`,
      );
  }
}

/**
 * Angle per position of each rotated pair, in float32 as PyTorch computes it.
 * @returns [headSize / 2] radians per position
 * @throws SepError `bad-checkpoint` for another number of factors than frequencies
 * @see Su et al. 2021 (RoFormer), eq. 15; Llama 3.1's frequency-dependent stretch as in transformers'
 *   `_compute_llama3_parameters`
 */
export function inverseFrequencies({ theta, scaling }: RopeSettings, headSize: number): Float32Array {
  const frequencies = Float32Array.from(
    { length: headSize / 2 },
    (_, i) => 1 / Math.fround(theta ** Math.fround((2 * i) / headSize)),
  );
  if (scaling.kind === "linear") return frequencies.map((frequency) => frequency / scaling.factor);
  if (scaling.kind === "frequency_factors") {
    const { factors } = scaling;
    if (factors.length !== frequencies.length)
      throw new SepError(
        "bad-checkpoint",
        `${factors.length} factors for ${frequencies.length} rotary frequencies; there must be one for each.`,
      );
    return frequencies.map((frequency, i) => frequency / (factors[i] as number));
  }
  if (scaling.kind === "llama3") return frequencies.map((frequency) => stretchLlama3(frequency, scaling));
  return frequencies;
}

/**
 * Cosines and sines for positions 0 .. count - 1. The product position x frequency is rounded to float32 before
 * the cosine, as PyTorch does, since at long positions that rounding is visible in the hidden states.
 * @returns two arrays of [count, headSize / 2]
 */
export function ropeTables(
  frequencies: Float32Array,
  count: number,
): { readonly cos: Float32Array; readonly sin: Float32Array } {
  const width = frequencies.length;
  const cos = new Float32Array(count * width);
  const sin = new Float32Array(count * width);
  for (let position = 0; position < count; position++) {
    for (let i = 0; i < width; i++) {
      const angle = Math.fround(position * (frequencies[i] as number));
      cos[position * width + i] = Math.cos(angle);
      sin[position * width + i] = Math.sin(angle);
    }
  }
  return { cos, sin };
}

function stretchLlama3(frequency: number, scaling: Extract<RopeScaling, { kind: "llama3" }>): number {
  const { factor, lowFrequencyFactor, highFrequencyFactor, originalMaxPositions } = scaling;
  const wavelength = (2 * Math.PI) / frequency;
  if (wavelength < originalMaxPositions / highFrequencyFactor) return frequency;
  if (wavelength > originalMaxPositions / lowFrequencyFactor) return frequency / factor;
  const share =
    (originalMaxPositions / wavelength - lowFrequencyFactor) / (highFrequencyFactor - lowFrequencyFactor);
  return ((1 - share) * frequency) / factor + share * frequency;
}
