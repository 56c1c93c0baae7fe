import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ANSWER_APIS } from "../../src/backends/vllm/answer-protocol.ts";
import { findServedModel } from "../../src/backends/vllm/served-model.ts";
import { createVllmAnswers } from "../../src/backends/vllm/vllm-answers.ts";
import { createVllmPooledStates } from "../../src/backends/vllm/vllm-pooled-states.ts";
import { createVllmStates } from "../../src/backends/vllm/vllm-states.ts";
import { loadModel } from "../../src/checkpoint/load-model.ts";
import type { LanguageModel } from "../../src/engine/language-model.ts";
import { TRACE_POSITIONS } from "../../src/engine/places.ts";
import { parseServerAddresses } from "../../src/net/server-address.ts";
import { createServerPool, type ServerPool } from "../../src/net/server-pool.ts";
import { type FakeVllm, startFakeVllm } from "../fakes/fake-vllm.ts";
import { answerBackendContract } from "./answer-backend-contract.ts";
import { stateBackendContract } from "./state-backend-contract.ts";

let model: LanguageModel;
let server: FakeVllm;
let pool: ServerPool;
beforeAll(async () => {
  model = await loadModel("pocket", { threads: 1 });
  server = await startFakeVllm({ model });
  pool = createServerPool(parseServerAddresses(server.url, "--vllm-url"));
});
afterAll(async () => {
  await pool[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  await model[Symbol.asyncDispose]();
});

describe.each(ANSWER_APIS)("vLLM draws answers, by %s", (api) => {
  let served: Awaited<ReturnType<typeof findServedModel>>;
  beforeAll(async () => {
    served = await findServedModel(pool, "pocket");
  });
  answerBackendContract(() => createVllmAnswers({ model, pool, served, api }));
});

describe("vLLM draws answers with their states", () => {
  let folder: string;
  let extracting: FakeVllm;
  let extractingPool: ServerPool;
  const layers = [0, 4];
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "sep-states-"));
    extracting = await startFakeVllm({ model, states: { folder, layers } });
    extractingPool = createServerPool(parseServerAddresses(extracting.url, "--vllm-url"));
  });
  afterAll(async () => {
    await extractingPool[Symbol.asyncDispose]();
    await extracting[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });
  answerBackendContract(() => {
    const served = { name: "pocket", maxModelLength: null };
    const backend = createVllmAnswers({ model, pool: extractingPool, served, layers, waitMs: 2_000 });
    return {
      ...backend,
      async *openSampler(prompts, options) {
        const sampler = yield* backend.openSampler(prompts, options);
        const states = { layers, positions: TRACE_POSITIONS, indices: "exact" } as const;
        return {
          ...sampler,
          draw: async (prompt, asked) =>
            (await sampler.draw(prompt, { ...asked, states })).map(({ states: read, ...answer }) => {
              expect(read?.length).toBeGreaterThan(1);
              return answer;
            }),
        };
      },
    };
  });
  it("leaves no file behind", async () => {
    expect(await readdir(folder)).toEqual([]);
  });
});

/** float32 on both sides; the server reads an answer as one sequence of its own. */
const TOLERANCE = 1e-5;

describe("vLLM reads states", () => {
  let folder: string;
  let extracting: FakeVllm;
  let extractingPool: ServerPool;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "sep-states-"));
    extracting = await startFakeVllm({ model, states: { folder, layers: [0, 2, 4] } });
    extractingPool = createServerPool(parseServerAddresses(extracting.url, "--vllm-url"));
  });
  afterAll(async () => {
    await extractingPool[Symbol.asyncDispose]();
    await extracting[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });
  stateBackendContract(
    () =>
      createVllmStates({
        model,
        pool: extractingPool,
        served: { name: "pocket", maxModelLength: null },
        layers: [0, 2, 4],
        waitMs: 2_000,
      }),
    () => ({
      async read(tokenIds, indices, layers) {
        const { residuals } = await model.trace(tokenIds, { positions: indices, layers });
        const size = layers.length * model.config.hiddenSize;
        return indices.map((_, i) => residuals.subarray(i * size, (i + 1) * size));
      },
      tolerance: TOLERANCE,
    }),
  );

  it("leaves no file behind", async () => {
    expect(await readdir(folder)).toEqual([]);
  });
});

describe("vLLM reads pooled states", () => {
  let pooling: FakeVllm;
  let pooledPool: ServerPool;
  beforeAll(async () => {
    pooling = await startFakeVllm({ model, isPooling: true });
    pooledPool = createServerPool(parseServerAddresses(pooling.url, "--vllm-url"));
  });
  afterAll(async () => {
    await pooledPool[Symbol.asyncDispose]();
    await pooling[Symbol.asyncDispose]();
  });
  stateBackendContract(
    () =>
      createVllmPooledStates({ model, pool: pooledPool, served: { name: "pocket", maxModelLength: null } }),
    () => ({
      async read(tokenIds, indices) {
        const { finalNorms } = await model.trace(tokenIds, {
          positions: indices,
          layers: [],
          finalNorm: true,
        });
        const size = model.config.hiddenSize;
        return indices.map((_, i) => (finalNorms as Float32Array).subarray(i * size, (i + 1) * size));
      },
      tolerance: TOLERANCE,
    }),
  );
});
