import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { findArchitecture } from "./architectures/registry.ts";
import { createConfigReader } from "./config-reader.ts";
import { inverseFrequencies, type RopeSettings, ropeTables, rotaryMagnitude } from "./rope.ts";

interface RopeCase {
  readonly name: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly inverse_frequencies: readonly number[];
  readonly magnitude: number;
}

const golden = new URL("../../../test/golden/rope.json", import.meta.url);
const { cases } = JSON.parse(readFileSync(golden, "utf8")) as { readonly cases: readonly RopeCase[] };
/** What the configs need beside the rotary fields. */
const SIZES = { vocab_size: 100, num_hidden_layers: 1, intermediate_size: 64 };

/**
 * float32 powers of PyTorch and of V8 may round differently, by one step of 2^-23; where llama3 blends two frequencies,
 * that is amplified by up to its factor over 3. Measured: at most 1.2e-6 there, 2e-7 elsewhere.
 */
const RELATIVE_TOLERANCE = 2e-6;

describe.each(cases)("$name", ({ config, inverse_frequencies, magnitude }) => {
  const reader = createConfigReader("config.json", { ...SIZES, ...config });
  const [rope] = findArchitecture(reader).readConfig(reader).ropes as [RopeSettings];

  it("turns as transformers does", () => {
    const frequencies = inverseFrequencies(rope);
    expect(frequencies.length).toBe(inverse_frequencies.length);
    for (const [i, expected] of inverse_frequencies.entries()) {
      expect(Math.abs((frequencies[i] as number) / expected - 1)).toBeLessThanOrEqual(RELATIVE_TOLERANCE);
    }
    expect(rotaryMagnitude(rope)).toBeCloseTo(magnitude, 12);
  });
});

describe("ropeTables", () => {
  it("holds cosines and sines of position x frequency, times the magnitude", () => {
    const { cos, sin } = ropeTables(Float32Array.of(1, 0.5), 3, 2);
    const angles = [0, 0, 1, 0.5, 2, 1];
    expect([...cos]).toEqual(angles.map((angle) => 2 * Math.fround(Math.cos(angle))));
    expect([...sin]).toEqual(angles.map((angle) => 2 * Math.fround(Math.sin(angle))));
  });
});
