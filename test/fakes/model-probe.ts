import type { LanguageModel } from "../../src/engine/language-model.ts";
import type { TracePosition } from "../../src/engine/places.ts";
import type { GenerationConfig, Probe } from "../../src/probes/probe.ts";
import { hashed } from "./hashed.ts";
import { makeProbe } from "./make-probe.ts";
import { PLAIN_SAMPLER } from "./plain-sampler.ts";

/** How a probe's model was asked. */
export const asking = (changes: Partial<GenerationConfig> = {}): GenerationConfig => ({
  prompt_format: "notebook",
  system_prompt: null,
  enable_thinking: null,
  sampler: { ...PLAIN_SAMPLER, temperature: 0.6, maxNewTokens: 7 },
  ...changes,
});

/** A probe of two layers side by side, whose weights are arbitrary. */
export function probeOf(
  { config, provenance }: LanguageModel,
  position: TracePosition,
  changes: Partial<Probe> = {},
): Probe {
  const width = 2 * config.hiddenSize;
  const { weights_sha256, tokenizer_sha256, dtype, id } = provenance;
  return makeProbe({
    position,
    layer: 1,
    layer_count: 2,
    width,
    source: { model: id, weights_sha256, tokenizer_sha256, dtype, norm_state: "residual" },
    mean: new Float32Array(width).fill(0.01),
    scale: new Float32Array(width).fill(2),
    coefficients: Float32Array.from({ length: width }, (_, j) => hashed(j, 3) - 0.5),
    asking: asking(),
    ...changes,
  });
}
