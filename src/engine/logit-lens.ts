import { logSumExp } from "../math/entropy.ts";
import { type RankedToken, rankTokens } from "./generate/generate.ts";
import { buildLens, LENS_TENSORS } from "./graph/build-lens.ts";
import { type ModelFiles, readWeights } from "./model-files.ts";
import { floatTensor, type Runtime, readFloats } from "./runtime/runtime.ts";

/** What a model would say if it ended at some layer. */
export interface LogitLens extends AsyncDisposable {
  /**
   * The likeliest tokens by the final norm and head, applied to the residual stream of any layer.
   * @param residuals [rows, D] before the final norm
   * @param count tokens per row
   * @returns [rows] the likeliest first; log-probabilities in nats, full vocabulary
   * @see nostalgebraist 2020, "interpreting GPT: the logit lens"
   */
  read(residuals: Float32Array, count: number): Promise<RankedToken[][]>;
}

/**
 * Opens the end of a model as a session of its own, on the CPU: the head's weights are in memory once more.
 * @throws SepError as `openModel`
 */
export async function openLogitLens(
  runtime: Runtime,
  files: Pick<ModelFiles, "config" | "weights">,
): Promise<LogitLens> {
  const { architecture, config, weights } = await readWeights(runtime, files);
  const session = await runtime.createSession(buildLens(architecture, config, weights), { threads: 1 });
  const { hiddenSize, vocabularySize } = config;
  return {
    async read(residuals, count) {
      const rows = residuals.length / hiddenSize;
      const feeds = { [LENS_TENSORS.residuals]: floatTensor(residuals, [rows, hiddenSize]) };
      const logits = readFloats(await session.run(feeds), LENS_TENSORS.logits);
      return Array.from({ length: rows }, (_, row) => {
        const own = logits.subarray(row * vocabularySize, (row + 1) * vocabularySize);
        const total = logSumExp(own);
        return rankTokens(own, count, (tokenId) => (own[tokenId] as number) - total);
      });
    },
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  };
}
