import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { servedProbes } from "../../test/fakes/serve-stage.ts";
import { liveModelOf } from "../backends/local/local-backend.ts";
import { loadModel } from "../checkpoint/load-model.ts";
import type { LanguageModel } from "../engine/language-model.ts";
import { createServer, type RiskServer } from "./create-server.ts";

const QUESTION = "What is 48 - 19?";
const MESSAGES = [{ role: "user", content: QUESTION }];

let pocket: LanguageModel;
let strict: RiskServer;
let lenient: RiskServer;
beforeAll(async () => {
  pocket = await loadModel("pocket", { threads: 1 });
  const live = liveModelOf(pocket);
  strict = createServer({ live, probes: servedProbes(pocket) });
  lenient = createServer({ live, probes: servedProbes(pocket, { threshold: 1 }) });
});
afterAll(async () => {
  await strict[Symbol.asyncDispose]();
  await lenient[Symbol.asyncDispose]();
  await pocket[Symbol.asyncDispose]();
});

/** Fields as LiteLLM 1.108 sends them, those that nobody reads among them. */
async function check(server: RiskServer, body: object): Promise<{ status: number; body: unknown }> {
  const response = await server.app.request("/beta/litellm_basic_guardrail_api", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      texts: [],
      images: null,
      tools: null,
      structured_messages: null,
      tool_calls: null,
      request_data: {},
      request_headers: { "user-agent": "curl" },
      litellm_version: "1.108.7",
      litellm_trace_id: "t",
      model: "gpt",
      ...body,
    }),
  });
  return { status: response.status, body: await response.json() };
}
const asked = (id: string, changes: object = {}) => ({
  input_type: "request",
  litellm_call_id: id,
  texts: [QUESTION],
  structured_messages: MESSAGES,
  ...changes,
});
const answered = (id: string, text: string, changes: object = {}) => ({
  input_type: "response",
  litellm_call_id: id,
  texts: [text],
  ...changes,
});
const before = { additional_provider_specific_params: { probe: "before" } };

describe("the guardrail", () => {
  it("judges an answer by the question that came before it under the same id, as often as it comes", async () => {
    expect(await check(strict, asked("1"))).toEqual({ status: 200, body: { action: "NONE" } });
    expect(await check(strict, asked("2", { structured_messages: null, texts: ["1 + 1"] }))).toMatchObject({
      status: 200,
    });
    const risk = await strict.app.request("/v1/risk", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ question: QUESTION, answer: "29" }),
    });
    const { risk: expected } = (await risk.json()) as { risk: number };
    for (const _ of ["a stream's first part", "its end"])
      expect(await check(strict, answered("1", "29"))).toEqual({
        status: 200,
        body: {
          action: "BLOCKED",
          blocked_reason: expect.stringContaining(`gives a risk of ${expected.toFixed(3)} to this answer`),
        },
      });
    const other = await check(strict, answered("2", "29"));
    expect(JSON.stringify(other.body)).not.toContain(`risk of ${expected.toFixed(3)}`);
    await check(lenient, asked("1"));
    expect(await check(lenient, answered("1", "29"))).toEqual({ status: 200, body: { action: "NONE" } });
  });

  it("refuses an answer whose question it has not seen", async () => {
    expect(await check(strict, answered("unknown", "29"))).toMatchObject({
      status: 400,
      body: { error: { code: "request_unknown" } },
    });
  });

  it("judges questions by a probe that reads before-generation, and nothing else by it", async () => {
    expect(await check(strict, asked("3", before))).toMatchObject({
      body: { action: "BLOCKED", blocked_reason: expect.stringContaining("this question") },
    });
    expect(await check(lenient, asked("3", before))).toEqual({ status: 200, body: { action: "NONE" } });
    expect(await check(strict, answered("3", "29", before))).toEqual({
      status: 200,
      body: { action: "NONE" },
    });
  });

  it("forgets the oldest calls when they fill the memory", async () => {
    await check(strict, asked("old"));
    const long = { role: "user", content: "1".repeat(2 * 1024 * 1024) };
    for (let i = 0; i < 9; i++) await check(strict, asked(`long-${i}`, { structured_messages: [long] }));
    expect(await check(strict, answered("old", "29"))).toMatchObject({ status: 400 });
    expect(await check(strict, answered("long-0", "29"))).toMatchObject({
      body: { error: { code: "request_unknown" } },
    });
    expect(await check(strict, answered("long-8", "29"))).toMatchObject({
      body: { error: { code: "context_length_exceeded" } },
    });
  });
});
