import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe } from "vitest";
import { createNnsightBackend } from "../../src/backends/nnsight/open-nnsight.ts";
import { type Sidecar, startSidecar } from "../../src/backends/nnsight/start-sidecar.ts";
import { loadModel } from "../../src/checkpoint/load-model.ts";
import type { LanguageModel } from "../../src/engine/language-model.ts";
import type { StateBackend } from "../../src/states/state-backend.ts";
import { stateBackendContract } from "./state-backend-contract.ts";

const FAKE = fileURLToPath(new URL("../fakes/fake-sidecar.mjs", import.meta.url));
const RECORDED = fileURLToPath(new URL("../fixtures/nnsight/ready.json", import.meta.url));

let model: LanguageModel;
let sidecar: Sidecar;
let backend: StateBackend;
beforeAll(async () => {
  model = await loadModel("pocket", { threads: 1 });
  const starting = startSidecar(
    {
      kind: "open",
      model: model.path,
      folder: model.path,
      revision: null,
      device: "cpu",
      dtype: "float32",
      remote: false,
    },
    { python: FAKE },
  );
  let next = await starting.next();
  while (!next.done) next = await starting.next();
  sidecar = next.value;
  backend = createNnsightBackend({ sidecar, profile: model, fingerprints: {} });
});
afterAll(async () => {
  await sidecar[Symbol.asyncDispose]();
  await model[Symbol.asyncDispose]();
});

const { versions } = JSON.parse(await readFile(RECORDED, "utf8"));

describe(`states that nnsight ${versions.nnsight} read with torch ${versions.torch}`, () => {
  stateBackendContract(
    () => backend,
    () => ({
      async read(tokenIds, indices, layers) {
        const { residuals } = await model.trace(tokenIds, { positions: indices, layers });
        const size = layers.length * model.config.hiddenSize;
        return indices.map((_, i) => residuals.subarray(i * size, (i + 1) * size));
      },
      tolerance: 1e-5, // float32 sums in another order than PyTorch's
    }),
  );
});
