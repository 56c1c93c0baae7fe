import { afterAll, beforeAll, describe } from "vitest";
import { createLocalBackend } from "../../src/backends/local/local-backend.ts";
import { loadModel } from "../../src/checkpoint/load-model.ts";
import type { LanguageModel } from "../../src/engine/language-model.ts";
import { answerBackendContract } from "./answer-backend-contract.ts";
import { stateBackendContract } from "./state-backend-contract.ts";

let model: LanguageModel;
beforeAll(async () => {
  model = await loadModel("pocket", { threads: 1 });
});
afterAll(() => model[Symbol.asyncDispose]());

describe("the local engine draws answers", () => {
  answerBackendContract(() => createLocalBackend(model));
});

describe("the local engine reads states", () => {
  stateBackendContract(
    () => createLocalBackend(model),
    () => ({
      async read(tokenIds, indices, layers) {
        const { residuals } = await model.trace(tokenIds, { positions: indices, layers });
        const size = layers.length * model.config.hiddenSize;
        return indices.map((_, i) => residuals.subarray(i * size, (i + 1) * size));
      },
      tolerance: 1e-5, // float32: answers run over the prompt's keys here, and as one sequence there
    }),
  );
});
