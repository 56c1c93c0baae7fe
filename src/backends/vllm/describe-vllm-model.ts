import type { ModelProfile } from "../../checkpoint/load-model-profile.ts";
import type { StateBackend } from "../../states/state-backend.ts";

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
