import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, test } from "vitest";
import { type FakeVllmOptions, startFakeVllm } from "../../../test/fakes/fake-vllm.ts";
import { loadModel } from "../../checkpoint/load-model.ts";
import type { ModelProfile } from "../../checkpoint/model-profile.ts";
import type { LanguageModel } from "../../engine/language-model.ts";
import { buildPrompt, type Prompt } from "../../engine/tokenizer/build-prompt.ts";
import { parseServerAddresses } from "../../net/server-address.ts";
import { createServerPool } from "../../net/server-pool.ts";
import type { AnswerApi } from "./answer-request.ts";
import { findServedModel } from "./find-served-model.ts";
import { entropyOfTop } from "./read-answer.ts";
import { createVllmAnswers, sampleSeedOf } from "./vllm-answers.ts";

let model: LanguageModel;
beforeAll(async () => {
  model = await loadModel("pocket", { threads: 1 });
});
afterAll(() => model[Symbol.asyncDispose]());

describe("entropyOfTop, worked by hand", () => {
  it.each([
    [[Math.log(0.5), Math.log(0.25), Math.log(0.25)], 1.5 * Math.LN2],
    // a fifth of the mass is not among them: 0.4 and 0.4 are then a half each
    [[Math.log(0.4), Math.log(0.4)], Math.LN2],
    [Array.from({ length: 20 }, () => -5), Math.log(20)],
    [[0], 0],
    [[-1e-7, -9999], 0],
    [[Math.log(0.9), Math.log(0.1), -Infinity], -0.9 * Math.log(0.9) - 0.1 * Math.log(0.1)],
  ])("%j", (logprobs, nats) => {
    expect(entropyOfTop(logprobs)).toBeCloseTo(nats, 12);
  });
});

test("seeds differ by study, question and answer, and take 31 bits", () => {
  const seeds = [1, 2].flatMap((seed) =>
    ["a", "b"].flatMap((key) => [0, 1, 2].map((runId) => sampleSeedOf(seed, key, runId))),
  );
  expect(new Set(seeds).size).toBe(12);
  for (const seed of seeds) expect(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 31).toBe(true);
});

describe("before the first question", () => {
  const check = async (
    server: Partial<FakeVllmOptions>,
    {
      as = model,
      prompts = [buildPrompt(model.tokenizer, "What is 1 + 1?")],
      api,
      apiKey,
      servedName,
    }: {
      readonly as?: ModelProfile;
      readonly prompts?: readonly Prompt[];
      readonly api?: AnswerApi;
      readonly apiKey?: string;
      readonly servedName?: string;
    } = {},
  ): Promise<void> => {
    await using fake = await startFakeVllm({ model, ...server });
    await using pool = createServerPool(parseServerAddresses(fake.url, "--vllm-url"), { apiKey });
    const served = await findServedModel(pool, "pocket", { servedName });
    await createVllmAnswers({ model: as, pool, served, api }).check?.(prompts);
  };

  it("accepts a server as it should be, by its own name, its model's, or the one it is told", async () => {
    await check({});
    await check({ name: "mine", root: "pocket" });
    await check({ name: "mine", root: "/models/x" }, { servedName: "mine" });
    await check({ isPlain: true });
    await check({ apiKey: "secret" }, { apiKey: "secret" });
  });

  it.each<[string, Partial<FakeVllmOptions>, string, string]>([
    ["another model", { name: "org/other" }, "server-mismatch", "serves org/other, expected pocket"],
    ["a key that is missing", { apiKey: "secret" }, "server-refused", "VLLM_API_KEY"],
    ["too few log-probabilities", { maxLogprobs: 5 }, "no-logprobs", "--max-logprobs 20"],
    [
      "log-probabilities after the temperature",
      { logprobsMode: "processed_logprobs" },
      "no-logprobs",
      "raw_logprobs",
    ],
    ["no token ids", { knowsTokenIds: false }, "no-logprobs", "0.10.2"],
    ["a pooling server", { isPooling: true }, "server-refused", "404"],
  ])("refuses %s", async (_name, server, code, message) => {
    // at temperature 1 the likeliest first token must not have all the probability, or no temperature changes it
    const prompts = [buildPrompt(model.tokenizer, "Tom has", { format: "notebook" })];
    const failure = await check(server, { prompts }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code, message: expect.stringContaining(message) });
  });

  it("refuses a server that leaves a file of hidden states for every answer", async () => {
    const folder = await mkdtemp(join(tmpdir(), "sep-extracting-"));
    await expect(check({ states: { folder, layers: [0] } })).rejects.toMatchObject({
      code: "server-mismatch",
      message: expect.stringContaining("--vllm-states-url"),
    });
    await rm(folder, { recursive: true });
  });

  it("passes over prompts without room for an answer, which are refused one by one", async () => {
    const prompts = ["long ".repeat(30), "short"].map((text) => buildPrompt(model.tokenizer, text));
    await check({ maxModelLength: 60 }, { prompts });
    await check({ maxModelLength: 60 }, { prompts: prompts.slice(0, 1) });
  });

  it("refuses a server that reads text otherwise", async () => {
    const encode: ModelProfile["tokenizer"]["encode"] = (text, options) =>
      model.tokenizer.encode(text, options).toReversed();
    const as = { ...model, tokenizer: { ...model.tokenizer, encode } };
    await expect(check({}, { as })).rejects.toMatchObject({
      code: "server-mismatch",
      message: expect.stringContaining("token 0 is"),
    });
  });

  it("refuses a chat with a prompt that is none, and one that the server renders otherwise", async () => {
    const plain = [buildPrompt(model.tokenizer, "Hi", { format: "notebook" })];
    await expect(check({}, { prompts: plain, api: "chat" })).rejects.toMatchObject({ code: "bad-option" });
    const { chat: _same, ...prompt } = buildPrompt(model.tokenizer, "Hi");
    const { chat } = buildPrompt(model.tokenizer, "Hello");
    const other = [{ ...prompt, chat: chat! }];
    await expect(check({}, { prompts: other, api: "chat" })).rejects.toMatchObject({
      code: "server-mismatch",
      message: expect.stringContaining("--vllm-api completions"),
    });
  });
});
