import type { ModelProfile } from "../../checkpoint/load-model-profile.ts";
import { stackStates } from "../../engine/layer-states.ts";
import type { AnswerToTrace, StateBackend, TracedAnswers } from "../../states/state-backend.ts";

/** One sequence that a server has to read to trace an answer. */
export interface Sequence {
  readonly tokenIds: readonly number[];
  /** Where to read it; for the first sequence, the prompt's last token comes first. */
  readonly indices: readonly number[];
}

/**
 * What has to be read to trace answers to one prompt: each as one sequence up to its last place, and the prompt's end
 * along with the first of them.
 */
export function planSequences(
  promptIds: readonly number[],
  answers: readonly AnswerToTrace[],
): readonly Sequence[] {
  const before = promptIds.length - 1;
  const traced = answers.filter(({ indices }) => indices.length > 0);
  if (traced.length === 0) return [{ tokenIds: promptIds, indices: [before] }];
  return traced.map(({ tokenIds, indices }, i) => ({
    tokenIds: [...promptIds, ...tokenIds].slice(0, Math.max(...indices) + 1),
    indices: i === 0 ? [before, ...indices] : indices,
  }));
}

/**
 * Puts the states of {@link planSequences}' sequences back to their answers.
 * @param states per sequence, per index: [layers, D]
 */
export function gatherStates(
  answers: readonly AnswerToTrace[],
  states: readonly (readonly Float32Array[])[],
  layerCount: number,
): TracedAnswers {
  const [beforeGeneration, ...ofFirst] = states[0] as readonly [Float32Array, ...Float32Array[]];
  let next = 0;
  return {
    beforeGeneration,
    answers: answers.map(({ indices }) => {
      if (indices.length === 0) return stackStates([], layerCount);
      const position = next++;
      return stackStates(
        position === 0 ? ofFirst : (states[position] as readonly Float32Array[]),
        layerCount,
      );
    }),
  };
}

/**
 * What is known, without a server, of a backend that reads a model's states from vLLM.
 * @param from the route that the states come by
 */
export function describeVllmModel(
  model: ModelProfile,
  from: string,
): Pick<StateBackend, "name" | "model" | "identity" | "metadata"> {
  const { id, revision } = model.provenance;
  const tokenizer_sha256 = model.tokenizer.sha256;
  return {
    name: "vllm",
    model,
    identity: { backend: "vllm", model: id, revision, tokenizer_sha256, from },
    metadata: {
      model: id,
      ...(revision === null ? {} : { model_revision: revision }),
      tokenizer_sha256,
      dtype: "server",
    },
  };
}
