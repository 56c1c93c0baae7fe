import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { asking, probeOf } from "../../test/fakes/model-probe.ts";
import { liveModelOf } from "../backends/local/local-backend.ts";
import { loadModel } from "../checkpoint/load-model.ts";
import type { LanguageModel } from "../engine/language-model.ts";
import type { Probe } from "../probes/probe.ts";
import { type CreateServerOptions, createServer, type RiskServer } from "./create-server.ts";
import { scoreQuestion } from "./score-question.ts";

const QUESTION = "What is 48 - 19?";
const CHAT = asking({
  prompt_format: "chat",
  sampler: { ...asking().sampler, temperature: 0, maxNewTokens: 160 },
});

let pocket: LanguageModel;
let after: Probe;
let before: Probe;
beforeAll(async () => {
  pocket = await loadModel("pocket", { threads: 1 });
  const threshold = {
    kind: "risk",
    target: 0.1,
    threshold: 0,
    guarantee: "G",
    calibration_questions: 9,
  } as const;
  const decisions = [{ kind: "risk", target: 0.1, threshold, reason: null }] as const;
  after = probeOf(pocket, "second-to-last", { asking: CHAT, decisions });
  before = probeOf(pocket, "before-generation", { asking: CHAT, decisions });
});
afterAll(() => pocket[Symbol.asyncDispose]());

const open = (changes: Partial<CreateServerOptions> = {}): RiskServer =>
  createServer({
    live: liveModelOf(pocket),
    probes: [
      { name: "after", sha256: "a".repeat(64), probe: after },
      { name: "before", sha256: "b".repeat(64), probe: before },
    ],
    ...changes,
  });

const post = (server: RiskServer, path: string, body: unknown): Promise<Response> =>
  Promise.resolve(
    server.app.request(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: typeof body === "string" ? body : JSON.stringify(body),
    }),
  );

const chat = async (server: RiskServer, body: object): Promise<any> =>
  (
    await post(server, "/v1/chat/completions", { messages: [{ role: "user", content: QUESTION }], ...body })
  ).json();

async function stream(server: RiskServer, path: string, body: object): Promise<any[]> {
  const response = await post(server, path, { stream: true, ...body });
  expect(response.headers.get("content-type")).toMatch("text/event-stream");
  const lines = (await response.text()).split("\n\n").filter((line) => line !== "");
  expect(lines.at(-1)).toBe("data: [DONE]");
  return lines.slice(0, -1).map((line) => JSON.parse(line.replace(/^data: /, "")));
}

describe("chat completions", () => {
  it("answer as `sep score` does, with its risk", async () => {
    await using server = open();
    const scored = await scoreQuestion(pocket, after, QUESTION);
    const answer = await chat(server, {});
    expect(answer).toMatchObject({
      object: "chat.completion",
      model: "pocket",
      choices: [
        { index: 0, message: { role: "assistant", content: scored.output_text }, finish_reason: "stop" },
      ],
      usage: { prompt_tokens: scored.prompt_tokens, completion_tokens: scored.generated_tokens },
    });
    const { sep } = answer.choices[0];
    expect(sep).toMatchObject({
      probe: "after",
      place: "second-to-last",
      decision: scored.decision,
      action: null,
    });
    expect(Math.abs(sep.score - scored.score!)).toBeLessThan(1e-6);
    expect(Math.abs(sep.risk - scored.risk!)).toBeLessThan(1e-6);
    expect(sep.token_index).toBe(scored.read_at!.token_index - scored.prompt_tokens);
  });

  it("stream the same text, and the risk of every token inside ordinary chunks", async () => {
    await using server = open();
    const whole = await chat(server, { sep: { tokens: true } });
    const chunks = await stream(server, "/v1/chat/completions", {
      messages: [{ role: "user", content: QUESTION }],
      stream_options: { include_usage: true },
    });
    expect(new Set(chunks.map(({ object }) => object))).toEqual(new Set(["chat.completion.chunk"]));
    const choices = chunks.flatMap((chunk) => chunk.choices);
    expect(choices.map(({ delta }) => delta.content ?? "").join("")).toBe(whole.choices[0].message.content);
    expect(choices.flatMap(({ sep }) => sep?.tokens ?? [])).toEqual(whole.choices[0].sep.tokens);
    const { tokens: _, timings: __, ...risk } = choices.at(-1).sep;
    const { tokens, timings: ___, ...expected } = whole.choices[0].sep;
    expect(risk).toEqual(expected);
    expect(tokens.map(({ index }: { index: number }) => index)).toEqual(
      Array.from({ length: whole.usage.completion_tokens }, (_, i) => i),
    );
    expect(tokens[risk.token_index].risk).toBeCloseTo(risk.risk, 12);
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: whole.usage });
  });
});
