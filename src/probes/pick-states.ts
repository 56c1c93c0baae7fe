import type { SampledAnswer } from "../engine/generate/generate.ts";
import type { LanguageModel, ModelProvenance, Trace } from "../engine/language-model.ts";
import { indicesOf, placeAnswer } from "../engine/places.ts";
import type { Prompt } from "../engine/tokenizer/build-prompt.ts";
import { SepError } from "../errors.ts";
import type { Probe } from "./probe.ts";
import { assertSpans, assertStates, type PlacedSpans, type PlacedStates } from "./score-probe.ts";

/** What was traced. */
export interface TracedText {
  readonly model: Pick<LanguageModel, "tokenizer">;
  readonly prompt: Pick<Prompt, "tokenIds" | "opensReasoning">;
  /** What came after it; nothing where the prompt alone was traced. */
  readonly answer?: Pick<SampledAnswer, "tokenIds" | "text" | "answerTokenCount"> | undefined;
}

/**
 * Picks the state that a probe reads out of a trace of prompt and answer, or those of all tokens that it pools.
 * @returns null if the answer has no such token: reasoning that was cut off has no `think-end`
 * @throws SepError `probe-mismatch` for a probe that reads no hidden state, and a trace of other tokens or without the
 *   token or the layers that it reads
 */
export function pickStates(
  trace: Trace,
  probe: Pick<Probe, "position" | "pooling" | "layer" | "layer_count" | "source">,
  { model, prompt, answer = NO_ANSWER }: TracedText,
): PlacedStates | PlacedSpans | null {
  const { position, layer, layer_count: layerCount } = probe;
  const refuse = (message: string): never => {
    throw new SepError("probe-mismatch", message);
  };
  if (position === null || layer === null)
    return refuse("The probe reads no hidden state. Score mean token entropies with assertThinkEntropies.");
  const whole = [...prompt.tokenIds, ...answer.tokenIds];
  if (trace.tokenIds.length !== whole.length || trace.tokenIds.some((id, i) => id !== whole[i]))
    return refuse(
      `The trace is of ${trace.tokenIds.length} tokens, which are not the ${whole.length} of prompt and answer. Trace [...prompt.tokenIds, ...answer.tokenIds].`,
    );
  const placed = placeAnswer(model.tokenizer, prompt, answer, indicesOf(probe.source));
  const last = placed.lastAt(position);
  if (last === null) return null;
  const { hiddenSize: width } = trace;
  // of whole answers, the last token's span is itself
  const first = position === "every-token" ? 0 : (last.span?.[0] ?? 0);
  const from = probe.pooling === undefined ? last.index : prompt.tokenIds.length + first;
  const rowOf = new Map(trace.positions.map((index, row) => [index, row]));
  const values = new Float32Array((last.index + 1 - from) * layerCount * width);
  for (let index = from; index <= last.index; index++) {
    const row = rowOf.get(index);
    if (row === undefined)
      return refuse(
        `The trace has no state at token ${index}, which is ${probe.pooling === undefined ? `the ${position} one` : "one of those that the probe pools"}. Trace it with positions: [${index}], or all of them.`,
      );
    for (let l = 0; l < layerCount; l++) {
      const place = trace.layers.indexOf(layer + l);
      if (place < 0)
        return refuse(
          `The trace has layers ${trace.layers.join(", ")}, and the probe reads ${layer + l}. Trace it too.`,
        );
      const start = (row * trace.layers.length + place) * width;
      values.set(trace.residuals.subarray(start, start + width), ((index - from) * layerCount + l) * width);
    }
  }
  const source = { ...stateSourceOf(trace.provenance), indices: indicesOf(probe.source) };
  const where = { position, layer, layerCount, width, normState: "residual", source } as const;
  return probe.pooling === undefined
    ? assertStates(values, where)
    : assertSpans(values, [0, last.index + 1 - from], where);
}

const NO_ANSWER = { tokenIds: [], text: "", answerTokenCount: 0 } as const;

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
