import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadModel } from "../src/checkpoint/load-model.ts";
import { sampleAnswers } from "../src/engine/generate/generate.ts";
import type { LanguageModel } from "../src/engine/language-model.ts";
import { everyLayer } from "../src/engine/resolve-layers.ts";
import { expectAllClose, scaleOf } from "./expect-all-close.ts";
import { PLAIN_SAMPLER } from "./fakes/plain-sampler.ts";
import { readTensors } from "./read-tensors.ts";

// What a real vLLM answered (fixtures/vllm/record.py), held against the engine: the same model in float32 by other
// kernels. Measured: log-probabilities 4e-7 apart, hidden states 5e-7 of their scale.
const LOGPROB_TOLERANCE = 1e-5;
const RELATIVE_TOLERANCE = 1e-5;

interface Completion {
  readonly index: number;
  readonly token_ids: readonly number[];
  readonly finish_reason: string;
  readonly logprobs: { readonly token_logprobs: readonly number[] };
}

interface Exchange {
  readonly name: string;
  readonly server: string;
  readonly status: number;
  readonly request: { readonly prompt: readonly number[]; readonly max_tokens: number };
  readonly response: {
    readonly choices: readonly Completion[];
    readonly error?: { readonly message: string };
  };
}

const fixture = (name: string): string => fileURLToPath(new URL(`fixtures/vllm/${name}`, import.meta.url));

let model: LanguageModel;
let exchanges: readonly Exchange[];
beforeAll(async () => {
  model = await loadModel("pocket", { threads: 1 });
  exchanges = (await readFile(fixture("exchanges.jsonl"), "utf8"))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Exchange);
});
afterAll(() => model[Symbol.asyncDispose]());

const recorded = (name: string, server = "plain"): Exchange =>
  exchanges.find((each) => each.name === name && each.server === server) as Exchange;

/** [T] the engine's log-probabilities of an answer's tokens. */
async function logprobsOf(prompt: readonly number[], tokenIds: readonly number[]): Promise<number[]> {
  const logprobs: number[] = [];
  for (const [i, tokenId] of tokenIds.entries()) {
    const { logits } = await model.prefill({ tokenIds: [...prompt, ...tokenIds.slice(0, i)] });
    const highest = Math.max(...logits);
    const mass = logits.reduce((sum, logit) => sum + Math.exp(logit - highest), 0);
    logprobs.push((logits[tokenId] as number) - highest - Math.log(mass));
  }
  return logprobs;
}

describe("the engine and a real vLLM", () => {
  it("decodes greedily to the engine's tokens, with its log-probabilities", async () => {
    const { request, response } = recorded("completion-greedy");
    const [choice] = response.choices as [Completion];
    const [drawn] = await sampleAnswers(model, request.prompt, {
      runIds: [0],
      sampler: { ...PLAIN_SAMPLER, temperature: 0, maxNewTokens: 160 },
      seed: 1,
      streamKey: "",
    });
    expect(choice.token_ids).toEqual(drawn?.tokenIds);
    expectAllClose(choice.logprobs.token_logprobs, drawn?.logprobs ?? [], LOGPROB_TOLERANCE);
  });

  it("gives log-probabilities before temperature and top-p: those of the engine", async () => {
    const { request, response } = recorded("completion-samples");
    const texts = new Set(response.choices.map(({ token_ids }) => token_ids.join()));
    expect(texts.size, "different answers").toBeGreaterThan(1);
    for (const { token_ids, logprobs } of response.choices)
      expectAllClose(logprobs.token_logprobs, await logprobsOf(request.prompt, token_ids), LOGPROB_TOLERANCE);
  });

  it("draws the same answers again from the same seed", () => {
    const ids = (name: string) => recorded(name).response.choices.map(({ token_ids }) => token_ids);
    expect(ids("completion-samples-again")).toEqual(ids("completion-samples"));
  });

  it("cuts an answer to the room that the prompt leaves, without a word", () => {
    const { request, response, status } = recorded("completion-no-room");
    const room = 1024 - request.prompt.length;
    expect(request.max_tokens).toBeGreaterThan(room);
    expect(status).toBe(200);
    expect(response.choices[0]?.token_ids.length).toBeLessThanOrEqual(room);
  });

  it.each([
    ["error-wrong-model", 404, /`another` does not exist/],
    ["error-full", 400, /max_tokens must be at least 1/],
    ["error-too-long", 400, /context length|longer|at least 1/],
    ["error-logprobs-over-max", 400, /greater than max allowed: 20/],
    ["error-token-out-of-vocabulary", 400, /out of vocabulary/],
  ])("answers %s with %i", (name, status, message) => {
    const exchange = recorded(name);
    expect(exchange.status).toBe(status);
    expect(exchange.response.error?.message).toMatch(message);
  });

  it("writes hidden states that are the engine's residual stream at every layer and token", async () => {
    const tensors = await readTensors(fixture("hidden-states.safetensors"));
    const { request } = recorded("hidden-states", "extracting");
    expect([...(tensors.token_ids ?? [])]).toEqual(request.prompt);
    const { residuals } = await model.trace(request.prompt, { layers: everyLayer(model.config) });
    expectAllClose(tensors.hidden_states as Float32Array, residuals, RELATIVE_TOLERANCE * scaleOf(residuals));
  });
});
