import type { SampledAnswer } from "../engine/generate/generate.ts";
import { splitReasoning } from "../engine/generate/split-reasoning.ts";
import type { LanguageModel, ModelProvenance, Trace } from "../engine/language-model.ts";
import { indicesOf, locatePosition } from "../engine/places.ts";
import type { Prompt } from "../engine/tokenizer/build-prompt.ts";
import { SepError } from "../errors.ts";
import type { Probe } from "./probe.ts";
import { assertStates, type PlacedStates } from "./score-probe.ts";

/** What was traced. */
export interface TracedText {
  readonly model: Pick<LanguageModel, "tokenizer">;
  readonly prompt: Pick<Prompt, "tokenIds" | "opensReasoning">;
  /** What came after it; nothing where the prompt alone was traced. */
  readonly answer?: Pick<SampledAnswer, "tokenIds" | "text" | "answerTokenCount"> | undefined;
}

/**
 * Picks the state that a probe reads out of a trace of prompt and answer.
 * @returns null if the answer has no such token: reasoning that was cut off has no `think-end`
 * @throws SepError `probe-mismatch` for a probe that reads no hidden state, and a trace of other tokens or without the
 *   token or the layers that it reads
 */
export function pickStates(
  trace: Trace,
  probe: Pick<Probe, "position" | "layer" | "layer_count" | "source">,
  { model, prompt, answer }: TracedText,
): PlacedStates | null {
  const { position, layer, layer_count: layerCount } = probe;
  const refuse = (message: string): never => {
    throw new SepError("probe-mismatch", message);
  };
  if (position === null || layer === null)
    return refuse("The probe reads no hidden state. Score mean token entropies with assertThinkEntropies.");
  const tokens = answer?.tokenIds ?? [];
  const whole = [...prompt.tokenIds, ...tokens];
  if (trace.tokenIds.length !== whole.length || trace.tokenIds.some((id, i) => id !== whole[i]))
    return refuse(
      `The trace is of ${trace.tokenIds.length} tokens, which are not the ${whole.length} of prompt and answer. Trace [...prompt.tokenIds, ...answer.tokenIds].`,
    );
  const reasoning =
    answer === undefined
      ? null
      : splitReasoning(model.tokenizer, { ...answer, opensReasoning: prompt.opensReasoning });
  const index = locatePosition(
    {
      prompt_tokens: prompt.tokenIds,
      tokens,
      think_token_indices: reasoning?.span ?? null,
      think_status: reasoning?.status ?? "none",
      ...(answer === undefined ? {} : { output_text: answer.text }),
    },
    position,
    {
      answerTokens: answer?.answerTokenCount ?? 0,
      indices: indicesOf(probe.source),
      decode: model.tokenizer.decode,
    },
  );
  if (index === null) return null;
  const row = trace.positions.indexOf(index);
  if (row < 0)
    return refuse(
      `The trace has no state at token ${index}, which is the ${position} one. Trace it with positions: [${index}], or all of them.`,
    );
  const { hiddenSize: width } = trace;
  const values = new Float32Array(layerCount * width);
  for (let l = 0; l < layerCount; l++) {
    const place = trace.layers.indexOf(layer + l);
    if (place < 0)
      return refuse(
        `The trace has layers ${trace.layers.join(", ")}, and the probe reads ${layer + l}. Trace it too.`,
      );
    const start = (row * trace.layers.length + place) * width;
    values.set(trace.residuals.subarray(start, start + width), l * width);
  }
  const source = { ...stateSourceOf(trace.provenance), indices: indicesOf(probe.source) };
  return assertStates(values, { position, layer, layerCount, width, normState: "residual", source });
}

/** What states of a model have in common, by the keys of a trace's metadata. */
export const stateSourceOf = ({
  id,
  weights_sha256,
  tokenizer_sha256,
  dtype,
}: ModelProvenance): Readonly<Record<string, string>> => ({
  model: id,
  weights_sha256,
  tokenizer_sha256,
  dtype,
});
