import { afterAll, beforeAll, describe } from "vitest";
import type { LanguageModel } from "../../src/models/language-model.ts";
import { loadModel } from "../../src/models/load-model.ts";
import { ANSWER_APIS } from "../../src/sampling/vllm/answer-request.ts";
import { createVllmAnswers } from "../../src/sampling/vllm/vllm-answers.ts";
import { findServedModel } from "../../src/servers/find-served-model.ts";
import { parseServerAddresses } from "../../src/servers/server-address.ts";
import { createServerPool, type ServerPool } from "../../src/servers/server-pool.ts";
import { type FakeVllm, startFakeVllm } from "../fakes/fake-vllm.ts";
import { answerBackendContract } from "./answer-backend-contract.ts";

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
