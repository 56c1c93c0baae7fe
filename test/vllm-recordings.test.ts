import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readAnswer, readChunk } from "../src/backends/vllm/answer-protocol.ts";
import { readStatesFile } from "../src/backends/vllm/states-file.ts";
import { loadModel } from "../src/checkpoint/load-model.ts";
import type { LanguageModel } from "../src/engine/language-model.ts";
import { explainServerRefusal } from "../src/net/describe-outcome.ts";
import { createRedactor } from "../src/text/redact.ts";
import { expectAllClose, scaleOf } from "./expect-all-close.ts";
import { type FakeVllm, startFakeVllm } from "./fakes/fake-vllm.ts";

// What a real vLLM 0.32 answered, with the embedded model; see fixtures/vllm/record.py.

interface Exchange {
  readonly server: "plain" | "extracting";
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly request: Readonly<Record<string, unknown>> | null;
  readonly status: number;
  readonly response: Readonly<Record<string, unknown>>;
  /** In place of `response`: a stream. */
  readonly text?: string;
}

const FOLDER = new URL("fixtures/vllm/", import.meta.url);
const EXCHANGES = readFileSync(new URL("exchanges.jsonl", FOLDER), "utf8")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line) as Exchange);
const recorded = (name: string): Exchange => EXCHANGES.find((each) => each.name === name) as Exchange;
const bodyOf = (value: unknown) => ({ text: JSON.stringify(value), redactor: createRedactor([]) });

let model: LanguageModel;
let fake: FakeVllm;
beforeAll(async () => {
  model = await loadModel("pocket", { threads: 1 });
  fake = await startFakeVllm({ model, maxModelLength: 1024 });
});
afterAll(async () => {
  await fake[Symbol.asyncDispose]();
  await model[Symbol.asyncDispose]();
});

describe("our client reads what vLLM answers", () => {
  it.each(["completion-greedy", "chat-greedy"])("%s: tokens, log-probabilities, entropies", (name) => {
    const answer = readAnswer(bodyOf(recorded(name).response), "vLLM");
    expect(answer.tokenIds.length).toBe(answer.logprobs.length);
    expect(answer.finishReason).toBe("stop");
    expect(model.endTokenIds.has(answer.tokenIds.at(-1) as number)).toBe(true);
    expect(answer.statesPath).toBeNull();
    // at temperature 0 the token that was drawn is the likeliest one
    for (const [t, logprob] of answer.logprobs.entries()) expect(answer.highest[t]).toBe(logprob);
    for (const entropy of answer.entropies) expect(entropy).toBeGreaterThanOrEqual(0);
  });

  const END = 765;
  const streamed = () =>
    (recorded("answer-stream").text ?? "")
      .split("\n\n")
      .filter((event) => event.startsWith("data: "))
      .flatMap((event) =>
        readChunk({ text: event.slice("data: ".length), redactor: createRedactor([]) }, "vLLM"),
      );

  it("a stream, token by token, which goes on until the client hangs up", () => {
    const tokens = streamed();
    expect(tokens.at(-2)?.tokenId, "one more has come").toBe(END);
    for (const { logprob, entropy, top } of tokens) {
      expect(logprob).toBeLessThanOrEqual(0);
      expect(entropy).toBeGreaterThanOrEqual(0);
      expect(top.length).toBe(20);
      expect(top).toEqual(top.toSorted((a, b) => b.logprob - a.logprob));
    }
    // the same seed, whole: the server ends it itself
    const whole = readAnswer(bodyOf(recorded("answer-with-states").response), "vLLM");
    expect(whole.tokenIds).toEqual(tokens.slice(0, -1).map(({ tokenId }) => tokenId));
    expect(whole.statesPath).toMatch(/^\/hidden-states\/cmpl-/);
    const stopped = readAnswer(bodyOf(recorded("answer-with-states-stop-text").response), "vLLM");
    expect(stopped).toMatchObject({ finishReason: "stop", statesPath: null });
  });

  it("the file of a streamed answer, which has the states of all of its tokens", async () => {
    const prompt = recorded("answer-stream").request?.prompt as readonly number[];
    const answer = streamed().slice(0, -1);
    const tokenIds = [...prompt, ...answer.map(({ tokenId }) => tokenId)];
    const path = fileURLToPath(new URL("hidden-states-answer.safetensors", FOLDER));
    const { blockCount, hiddenSize } = model.config;
    const indices = tokenIds.map((_, index) => index).slice(prompt.length - 1);
    const shape = { layerCount: blockCount + 1, hiddenSize };
    const states = await readStatesFile(path, indices, { tokenIds, mayGoOn: true, ...shape }, { waitMs: 0 });
    const { residuals } = await model.trace(tokenIds, { positions: indices });
    const flat = Float32Array.from(states.flatMap((each) => [...each]));
    expectAllClose(flat, residuals, 1e-5 * scaleOf(residuals)); // measured: 6e-7
  });

  it("the hidden states' file, which are the local engine's", async () => {
    const { request } = recorded("hidden-states");
    const tokenIds = request?.prompt as readonly number[];
    const path = fileURLToPath(new URL("hidden-states.safetensors", FOLDER));
    const { blockCount, hiddenSize } = model.config;
    const indices = [0, 15, tokenIds.length - 1];
    const states = await readStatesFile(
      path,
      indices,
      { tokenIds, layerCount: blockCount + 1, hiddenSize },
      { waitMs: 0 },
    );
    const { residuals } = await model.trace(tokenIds, { positions: indices });
    const flat = states.flatMap((each) => [...each]);
    let largest = 0;
    for (const [i, value] of residuals.entries())
      largest = Math.max(largest, Math.abs(value - flat[i]!) / (1 + Math.abs(value)));
    expect(largest).toBeLessThan(1e-3); // float32 in two programs
  });

  it.each([
    ["error-wrong-model", "server-refused"],
    ["error-too-long", "prompt-too-long"],
    ["error-answer-too-long", "prompt-too-long"],
    ["error-logprobs-over-max", "no-logprobs"],
    ["error-chat-logprobs-over-max", "no-logprobs"],
    ["error-token-out-of-vocabulary", "server-refused"],
    ["error-no-such-path", "server-refused"],
  ])("%s is the error %s", (name, code) => {
    const { status, response } = recorded(name);
    const error = explainServerRefusal("vLLM", {
      kind: "answered",
      status,
      headers: new Headers(),
      ...bodyOf(response),
    });
    expect(error.code).toBe(code);
  });
});

describe("the fake server answers as vLLM does", () => {
  const ask = async ({ method, path, request }: Exchange) => {
    const response = await fetch(fake.url.replace(/\/v1$/, path), {
      method,
      ...(request === null ? {} : { body: JSON.stringify(request) }),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };

  it.each([
    "models",
    "version",
    "tokenize",
    "completion-greedy",
    "completion-samples",
    "completion-no-logprobs",
    "completion-cut-off",
    "completion-default-length",
    "completion-stop-token",
    "completion-no-room",
    "chat",
    "chat-greedy",
    "error-wrong-model",
    "error-too-long",
    "error-full",
    "error-answer-too-long",
    "error-logprobs-over-max",
    "error-chat-logprobs-over-max",
  ])("%s: status and shape", async (name) => {
    const exchange = EXCHANGES.find((each) => each.name === name && each.server === "plain") as Exchange;
    const { status, body } = await ask(exchange);
    expect(status).toBe(exchange.status);
    expect(missingShape(body, exchange.response)).toEqual([]);
  });

  it.each(["completion-greedy", "completion-cut-off", "completion-stop-token", "chat-greedy"])(
    "%s: the same tokens, and log-probabilities",
    async (name) => {
      const exchange = recorded(name);
      const { body } = await ask(exchange);
      const read = (value: unknown) => readAnswer(bodyOf(value), "x");
      const [ours, theirs] = [read(body), read(exchange.response)];
      expect(ours.tokenIds).toEqual(theirs.tokenIds);
      expect(ours.promptIds).toEqual(theirs.promptIds);
      expect(ours.finishReason).toBe(theirs.finishReason);
      expect(ours.stopToken).toBe(theirs.stopToken);
      for (const [t, logprob] of theirs.logprobs.entries()) {
        expect(Math.abs(ours.logprobs[t]! - logprob)).toBeLessThan(1e-4); // float32 in two programs
        expect(Math.abs(ours.entropies[t]! - theirs.entropies[t]!)).toBeLessThan(1e-4);
      }
    },
  );
});

/** Where `got` has something that `wanted` has not, or something of another type. */
function missingShape(got: unknown, wanted: unknown, path = "answer"): string[] {
  if (Array.isArray(got)) {
    if (!Array.isArray(wanted)) return [`${path} is not a list`];
    return got.length === 0 || wanted.length === 0 ? [] : missingShape(got[0], wanted[0], `${path}[0]`);
  }
  if (typeof got === "object" && got !== null) {
    if (typeof wanted !== "object" || wanted === null) return [`${path} is no object`];
    const known = wanted as Readonly<Record<string, unknown>>;
    // the keys of top_logprobs are tokens
    if (/top_logprobs\[0\]$/.test(path) && !("token" in known)) return [];
    return Object.entries(got).flatMap(([key, value]) =>
      key in known ? missingShape(value, known[key], `${path}.${key}`) : [`${path}.${key} is unknown`],
    );
  }
  return typeof got === typeof wanted || got === null || wanted === null ? [] : [`${path} is ${typeof got}`];
}
