import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, test } from "vitest";
import { expectAllClose, scaleOf } from "../../../test/expect-all-close.ts";
import { type FakeVllm, type FakeVllmOptions, startFakeVllm } from "../../../test/fakes/fake-vllm.ts";
import { finishOpening } from "../../../test/fakes/finish-opening.ts";
import { PLAIN_SAMPLER } from "../../../test/fakes/plain-sampler.ts";
import { loadModel } from "../../checkpoint/load-model.ts";
import type { ModelProfile } from "../../checkpoint/load-model-profile.ts";
import type { SamplerSettings } from "../../engine/generate/sampler-settings.ts";
import type { LanguageModel } from "../../engine/language-model.ts";
import { TRACE_POSITIONS } from "../../engine/places.ts";
import { buildPrompt, type Prompt } from "../../engine/tokenizer/build-prompt.ts";
import { parseServerAddresses } from "../../net/server-address.ts";
import { createServerPool, type ServerPool } from "../../net/server-pool.ts";
import type { DrawnAnswer } from "../../samples/answer-backend.ts";
import { type AnswerApi, entropyOfTop } from "./answer-protocol.ts";
import { findServedModel } from "./served-model.ts";
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

describe("answers of a server that extracts hidden states", () => {
  const LAYERS = [0, 2, 4];
  const PROMPT = "What is 12 + 30?";
  let folder: string;
  let server: FakeVllm;
  let pool: ServerPool;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "sep-extracting-"));
    server = await startFakeVllm({ model, states: { folder, layers: LAYERS } });
    pool = createServerPool(parseServerAddresses(server.url, "--vllm-url"));
  });
  afterAll(async () => {
    await pool[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });
  const prompt = (): Prompt => buildPrompt(model.tokenizer, PROMPT);
  const open = (to = pool, layers: readonly number[] = LAYERS) => {
    const served = { name: "pocket", maxModelLength: null };
    return finishOpening(
      createVllmAnswers({ model, pool: to, served, layers, waitMs: 2_000 }).openSampler([prompt()]),
    );
  };
  const drawing = { runIds: [0, 1], seed: 3, streamKey: "q" };

  // an answer that ends by itself, one that is cut off, and one that a stop string ends
  it.each<[string, Partial<SamplerSettings>]>([
    ["an end token", { temperature: 0, maxNewTokens: 160 }],
    ["the limit", { maxNewTokens: 7 }],
    ["a stop string", { temperature: 0, maxNewTokens: 160, stopStrings: ["\n</think>"] }],
    ["a stop token", { temperature: 0, maxNewTokens: 160, stopTokenIds: [767] }],
  ])("that end with %s: all places have the engine's states, of the same tokens", async (_end, changed) => {
    const sampler = { ...PLAIN_SAMPLER, ...changed };
    const layers = [0, 4];
    const states = { layers, positions: TRACE_POSITIONS, indices: "exact" } as const;
    await using opened = await open();
    const plain = await opened.draw(prompt(), { ...drawing, sampler });
    const drawn = await opened.draw(prompt(), { ...drawing, sampler, states });
    for (const [i, { states: read = [], logprobs, entropies, ...answer }] of drawn.entries()) {
      const { logprobs: ownLogprobs, entropies: ownEntropies, ...expected } = plain[i] as DrawnAnswer;
      expect(answer).toEqual(expected);
      for (const [got, wanted] of [
        [logprobs, ownLogprobs],
        [entropies, ownEntropies],
      ])
        expectAllClose(got as number[], wanted as number[], 1e-5); // float32, token by token there
      const whole = [...prompt().tokenIds, ...answer.tokenIds];
      const last = whole.length - 1;
      expect(read.map(({ index }) => index)).toEqual(
        expect.arrayContaining([prompt().tokenIds.length - 1, last]),
      );
      expect(read.length).toBeGreaterThanOrEqual(answer.answerTokenCount === answer.tokenIds.length ? 2 : 3);
      const { residuals } = await model.trace(whole, { positions: read.map(({ index }) => index), layers });
      const got = Float32Array.from(read.flatMap(({ residual }) => [...residual]));
      expectAllClose(got, residuals, 1e-5 * scaleOf(residuals));
    }
  });

  it("leave no file behind, whether the states are wanted or not", async () => {
    const opened = await open();
    const sampler = { ...PLAIN_SAMPLER, temperature: 0, maxNewTokens: 40, stopStrings: ["+"] };
    await opened.draw(prompt(), { ...drawing, sampler });
    await expect.poll(() => readdir(folder), { timeout: 20_000 }).toEqual([]);
    const abort = new AbortController();
    const states = { layers: [0], positions: TRACE_POSITIONS, indices: "exact" } as const;
    const aborted = opened.draw(prompt(), { ...drawing, sampler, states, signal: abort.signal });
    setTimeout(() => abort.abort(new Error("enough")), 20);
    await aborted.catch(() => undefined);
    await opened[Symbol.asyncDispose]();
    expect(await readdir(folder)).toEqual([]);
  });

  it("are not drawn with states from a server that extracts none, or other layers", async () => {
    const states = { layers: [0], positions: TRACE_POSITIONS, indices: "exact" } as const;
    const options = { ...drawing, sampler: { ...PLAIN_SAMPLER, maxNewTokens: 3 }, states };
    await using other = await open(pool, [0, 2]);
    await expect(other.draw(prompt(), options)).rejects.toMatchObject({
      code: "bad-states",
      message: expect.stringContaining("layers"),
    });
    await using plain = await startFakeVllm({ model });
    await using plainPool = createServerPool(parseServerAddresses(plain.url, "--vllm-url"));
    await using none = await open(plainPool);
    await expect(none.draw(prompt(), options)).rejects.toMatchObject({
      code: "bad-states",
      message: expect.stringContaining("does not extract hidden states"),
    });
  });

  it("are refused by name by the API that renders prompts itself", () => {
    const served = { name: "pocket", maxModelLength: null };
    const { readsStates } = createVllmAnswers({ model, pool, served, api: "chat", layers: LAYERS });
    expect(readsStates?.obstacle).toContain("--vllm-api chat");
    expect(createVllmAnswers({ model, pool, served }).readsStates?.obstacle).toContain("extract no");
  });
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
    await finishOpening(createVllmAnswers({ model: as, pool, served, api }).openSampler(prompts));
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

  it("refuses a server that draws unlikely tokens", async () => {
    await expect(check({ drawsBadly: true })).rejects.toMatchObject({
      code: "server-mismatch",
      message: expect.stringMatching(/does not draw .* token \d has a log-probability of/),
    });
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
