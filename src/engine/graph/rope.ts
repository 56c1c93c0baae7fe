/** How rotary position embeddings turn: the base, and how long contexts stretch it. */
export interface RopeSettings {
  readonly theta: number;
  /** Leading numbers of every head that are turned; an odd count is rounded up to whole pairs. */
  readonly rotarySize: number;
  readonly scaling: RopeScaling;
}

export type RopeScaling =
  | { readonly kind: "default" }
  | { readonly kind: "linear"; readonly factor: number }
  /** [pairs] what each frequency is divided by: how GGUF files store Llama 3's stretch. */
  | { readonly kind: "frequency_factors"; readonly factors: readonly number[] }
  | {
      readonly kind: "llama3";
      readonly factor: number;
      readonly lowFrequencyFactor: number;
      readonly highFrequencyFactor: number;
      readonly originalMaxPositions: number;
    }
  | {
      readonly kind: "yarn";
      readonly factor: number;
      readonly originalMaxPositions: number;
      /** Rotations within the original context above which a pair is left alone, and below which it is stretched. */
      readonly betaFast: number;
      readonly betaSlow: number;
      readonly magnitude: number;
    }
  /** Within the original context only, where LongRoPE uses its short factors. */
  | { readonly kind: "longrope"; readonly shortFactors: readonly number[]; readonly magnitude: number };

/** Pairs of numbers that are turned in each head. */
export const rotaryPairs = ({ rotarySize }: RopeSettings): number => Math.ceil(rotarySize / 2);

/**
 * Angle per position of each rotated pair, in float32 as PyTorch computes it.
 * @returns [pairs] radians per position
 * @see Su et al. 2021 (RoFormer), eq. 15; Llama 3.1's frequency-dependent stretch, YaRN (Peng et al. 2023,
 *   eq. 20-21) and LongRoPE (Ding et al. 2024) as in transformers' `modeling_rope_utils.py`
 */
export function inverseFrequencies(rope: RopeSettings): Float32Array {
  const { theta, rotarySize, scaling } = rope;
  const wavelengths = Float32Array.from({ length: rotaryPairs(rope) }, (_, i) =>
    Math.fround(theta ** Math.fround((2 * i) / rotarySize)),
  );
  if (scaling.kind === "longrope") {
    return wavelengths.map(
      (wave, i) => 1 / Math.fround(Math.fround(scaling.shortFactors[i] as number) * wave),
    );
  }
  if (scaling.kind === "yarn") return stretchYarn(wavelengths, rope, scaling);
  const frequencies = wavelengths.map((wave) => 1 / wave);
  if (scaling.kind === "linear") return frequencies.map((frequency) => frequency / scaling.factor);
  if (scaling.kind === "frequency_factors")
    return frequencies.map((frequency, i) => frequency / (scaling.factors[i] as number));
  if (scaling.kind === "llama3") return frequencies.map((frequency) => stretchLlama3(frequency, scaling));
  return frequencies;
}

/** Factor on all cosines and sines: long contexts sharpen the attention. */
export const rotaryMagnitude = ({ scaling }: RopeSettings): number =>
  scaling.kind === "yarn" || scaling.kind === "longrope" ? scaling.magnitude : 1;

/**
 * Cosines and sines for positions 0 .. count - 1. The product position x frequency is rounded to float32 before
 * the cosine, as PyTorch does, since at long positions that rounding is visible in the hidden states.
 * @returns two arrays of [count, pairs]
 */
export function ropeTables(
  frequencies: Float32Array,
  count: number,
  magnitude = 1,
): { readonly cos: Float32Array; readonly sin: Float32Array } {
  const width = frequencies.length;
  const cos = new Float32Array(count * width);
  const sin = new Float32Array(count * width);
  for (let position = 0; position < count; position++) {
    for (let i = 0; i < width; i++) {
      const angle = Math.fround(position * (frequencies[i] as number));
      cos[position * width + i] = Math.fround(Math.cos(angle)) * magnitude;
      sin[position * width + i] = Math.fround(Math.sin(angle)) * magnitude;
    }
  }
  return { cos, sin };
}

/** Leaves short waves alone, divides long ones' frequencies by the factor, and blends in between; float32 throughout. */
function stretchLlama3(frequency: number, scaling: Extract<RopeScaling, { kind: "llama3" }>): number {
  const { factor, lowFrequencyFactor, highFrequencyFactor, originalMaxPositions } = scaling;
  const round = Math.fround;
  const wavelength = round((2 * Math.PI) / frequency);
  if (wavelength < originalMaxPositions / highFrequencyFactor) return frequency;
  if (wavelength > originalMaxPositions / lowFrequencyFactor) return frequency / factor;
  const rotations = round(round(originalMaxPositions / wavelength) - lowFrequencyFactor);
  const kept = round(rotations / (highFrequencyFactor - lowFrequencyFactor));
  return round(round(round(1 - kept) * frequency) / factor) + round(kept * frequency);
}

/** Keeps the pairs that turn fast, divides the slow ones by the factor, and blends in between; float32 throughout. */
function stretchYarn(
  wavelengths: Float32Array,
  { theta, rotarySize }: RopeSettings,
  scaling: Extract<RopeScaling, { kind: "yarn" }>,
): Float32Array {
  const { factor, originalMaxPositions, betaFast, betaSlow } = scaling;
  const round = Math.fround;
  const pairThatTurns = (rotations: number): number =>
    (rotarySize * Math.log(originalMaxPositions / (rotations * 2 * Math.PI))) / (2 * Math.log(theta));
  const low = Math.max(Math.floor(pairThatTurns(betaFast)), 0);
  const high = Math.min(Math.ceil(pairThatTurns(betaSlow)), rotarySize - 1);
  // transformers widens an empty ramp by this much, so that it does not divide by zero
  const width = high === low ? 0.001 : high - low;
  return wavelengths.map((wave, i) => {
    const ramp = Math.min(Math.max(round(round(i - low) / round(width)), 0), 1);
    const kept = round(1 - ramp);
    const stretched = round(1 / round(factor * wave));
    return round(stretched * round(1 - kept)) + round(round(1 / wave) * kept);
  });
}
