import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { asking, probeOf } from "../../test/fakes/model-probe.ts";
import { liveModelOf } from "../backends/local/local-backend.ts";
import { loadModel } from "../checkpoint/load-model.ts";
import type { LanguageModel } from "../engine/language-model.ts";
import { buildPrompt } from "../engine/tokenizer/build-prompt.ts";
import { SepError } from "../errors.ts";
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

// biome-ignore lint/suspicious/noExplicitAny: bodies of many shapes, which the assertions look at
type Body = any;

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

const chat = async (server: RiskServer, body: object): Promise<Body> =>
  (
    await post(server, "/v1/chat/completions", { messages: [{ role: "user", content: QUESTION }], ...body })
  ).json();

async function stream(server: RiskServer, path: string, body: object): Promise<Body[]> {
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
      // the end token is not read where the probe never does
      Array.from({ length: whole.usage.completion_tokens - 1 }, (_, i) => i),
    );
    expect(tokens[risk.token_index].risk).toBeCloseTo(risk.risk, 12);
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: whole.usage });
  });
});

const USER = [{ role: "user", content: QUESTION }];

describe("requests of OpenAI's API", () => {
  it("draw n answers, each with its own risk, that a seed repeats", async () => {
    await using server = open();
    const body = { n: 3, seed: 7, temperature: 1, logprobs: true, top_logprobs: 2 };
    const [one, two] = [await chat(server, body), await chat(server, body)];
    const withoutTimes = (answer: Body): unknown =>
      answer.choices.map(({ sep: { timings: _, ...sep }, ...choice }: Body) => ({ ...choice, sep }));
    expect(withoutTimes(one)).toEqual(withoutTimes(two));
    expect(one.choices.map(({ index }: { index: number }) => index)).toEqual([0, 1, 2]);
    const [{ logprobs, message, sep }] = one.choices;
    expect(logprobs.content.map(({ token }: { token: string }) => token).join("")).toContain(message.content);
    for (const { logprob, top_logprobs } of logprobs.content) {
      expect(top_logprobs).toHaveLength(2);
      expect(top_logprobs[0].logprob).toBeGreaterThanOrEqual(top_logprobs[1].logprob);
      expect(logprob).toBeLessThanOrEqual(top_logprobs[0].logprob);
    }
    expect(sep.warnings.join(" ")).toMatch(/temperature is 1 instead of 0/);
  });

  it("take conversations, and say that the guarantee is of single questions", async () => {
    await using server = open();
    const answer = await chat(server, {
      messages: [
        { role: "user", content: "What is 2 + 2?" },
        { role: "assistant", content: "\\boxed{4}" },
        { role: "user", content: [{ type: "text", text: QUESTION }] },
      ],
    });
    expect(answer.choices[0].sep.warnings.join(" ")).toMatch(/several turns/);
  });

  it("take prompts as they are, with echo, stop strings and token limits", async () => {
    await using server = open();
    const prompt = buildPrompt(pocket.tokenizer, QUESTION, { format: "chat" });
    const text = async (body: object): Promise<Body> =>
      ((await (await post(server, "/v1/completions", { temperature: 0, ...body })).json()) as Body)
        .choices[0];
    const whole = await text({ prompt: prompt.text, max_tokens: 160 });
    expect(await text({ prompt: prompt.tokenIds, max_tokens: 160 })).toMatchObject({ text: whole.text });
    expect((await text({ prompt: prompt.text, echo: true, max_tokens: 160 })).text).toBe(
      prompt.text + whole.text,
    );
    const cut = await text({ prompt: prompt.text, max_tokens: 3, logprobs: 1 });
    expect(cut).toMatchObject({ finish_reason: "length", sep: { token_index: 2 } });
    expect(cut.logprobs.tokens.join("")).toBe(cut.text);
    const stopped = await text({ prompt: prompt.text, stop: "\n", max_tokens: 160 });
    expect(stopped).toMatchObject({ text: "<think>", finish_reason: "stop", sep: { token_index: 0 } });
  });

  it.each<[string, string, unknown, number, string | null]>([
    ["no JSON", "chat", "{", 400, null],
    ["no object", "chat", "[]", 400, null],
    ["no messages", "chat", {}, 400, "messages"],
    ["an empty conversation", "chat", { messages: [] }, 400, "messages"],
    ["two turns of the user", "chat", { messages: [...USER, ...USER] }, 400, null],
    [
      "an image",
      "chat",
      { messages: [{ role: "user", content: [{ type: "image_url" }] }] },
      400,
      "messages[0].content",
    ],
    ["a tool's turn", "chat", { messages: [{ role: "tool", content: "x" }] }, 400, "messages[0].role"],
    ["tools", "chat", { messages: USER, tools: [{}] }, 400, "tools"],
    [
      "a format of JSON",
      "chat",
      { messages: USER, response_format: { type: "json_object" } },
      400,
      "response_format",
    ],
    ["a penalty", "chat", { messages: USER, presence_penalty: 1 }, 400, "presence_penalty"],
    ["a bias", "chat", { messages: USER, logit_bias: { 5: 1 } }, 400, "logit_bias"],
    ["a temperature below 0", "chat", { messages: USER, temperature: -1 }, 400, "temperature"],
    ["a text as temperature", "chat", { messages: USER, temperature: "1" }, 400, "temperature"],
    ["no answers", "chat", { messages: USER, n: 0 }, 400, "n"],
    ["too many tokens", "chat", { messages: USER, max_tokens: 99_999 }, 400, "max_tokens"],
    [
      "too long a prompt",
      "chat",
      { messages: [{ role: "user", content: "1+".repeat(5000) }] },
      400,
      "messages",
    ],
    ["top log-probabilities alone", "chat", { messages: USER, top_logprobs: 2 }, 400, "top_logprobs"],
    ["an unknown probe", "chat", { messages: USER, sep: { probe: "x" } }, 404, "sep.probe"],
    ["an unknown field of sep", "chat", { messages: USER, sep: { risk: true } }, 400, "sep"],
    ["an empty prompt", "text", { prompt: "" }, 400, "prompt"],
    ["a token that the model lacks", "text", { prompt: [999_999] }, 400, "prompt"],
    ["several prompts", "text", { prompt: ["a", "b"] }, 400, "prompt"],
    ["echo with log-probabilities", "text", { prompt: "a", echo: true, logprobs: 1 }, 400, "echo"],
  ])("are refused with the field that is wrong: %s", async (_what, api, body, status, param) => {
    await using server = open();
    const response = await post(server, api === "chat" ? "/v1/chat/completions" : "/v1/completions", body);
    expect(response.status).toBe(status);
    const { error } = (await response.json()) as Body;
    expect(error).toMatchObject({ param, message: expect.stringMatching(/./), type: expect.any(String) });
  });

  it("ignore unknown fields, null, and values that change nothing", async () => {
    await using server = open();
    const body = {
      tools: [],
      logit_bias: {},
      presence_penalty: 0,
      n: null,
      stop: null,
      user: "u",
      store: true,
    };
    expect((await chat(server, body)).choices[0].finish_reason).toBe("stop");
  });
});

describe("policies", () => {
  it("withhold an answer before its first token, by a probe that reads before-generation", async () => {
    await using server = open({ policy: { name: "abstain" } });
    const sep = { probe: "before", abstain_text: "No." };
    const chunks = await stream(server, "/v1/chat/completions", { messages: USER, sep });
    const choices = chunks.flatMap((chunk) => chunk.choices);
    expect(choices.map(({ delta }) => delta.content ?? "").join("")).toBe("No.");
    expect(choices.at(-1)).toMatchObject({
      finish_reason: "content_filter",
      sep: { decision: "abstain", action: "withheld", token_index: -1 },
    });
  });

  it("show nothing of an answer that is withheld after it, not even its tokens", async () => {
    await using server = open({ policy: { name: "abstain", abstainText: "No." } });
    const body = { messages: USER, logprobs: true };
    const streamed = JSON.stringify(await stream(server, "/v1/chat/completions", body));
    for (const text of [streamed, JSON.stringify(await chat(server, body))]) {
      expect(text).toContain("No.");
      expect(text).toContain('"action":"withheld"');
      expect(text).not.toContain("think>");
      expect(text).not.toContain("boxed");
    }
  });

  it("draw more answers, and give one of the commonest meaning", async () => {
    await using server = open({ policy: { name: "resample", samples: 4 } });
    const { message, sep } = (await chat(server, { seed: 1 })).choices[0];
    expect(sep).toMatchObject({ decision: "abstain", action: "resampled" });
    expect(message.content).toMatch(/boxed/);
    expect(sep.warnings.join(" ")).toMatch(/among 4 more samples/);
  });

  it("ask another server, and say who answered; a failure is the request's, or a warning", async () => {
    const escalate = async (messages: readonly { content: string }[]) => ({
      text: `You asked ${messages.at(-1)?.content}`,
      model: "big",
    });
    await using server = open({ policy: { name: "escalate", escalate } });
    expect((await chat(server, {})).choices[0]).toMatchObject({
      message: { content: `You asked ${QUESTION}` },
      sep: { action: "escalated", answered_by: "big" },
    });
    const fail = async (): Promise<never> => {
      throw new SepError("server-unreachable", "Nobody there.");
    };
    await using closed = open({ policy: { name: "escalate", escalate: fail } });
    expect(await chat(closed, {})).toMatchObject({ error: { code: "server-unreachable" } });
    await using lenient = open({ policy: { name: "escalate", escalate: fail, onError: "answer" } });
    expect((await chat(lenient, {})).choices[0]).toMatchObject({
      message: { content: expect.stringContaining("boxed") },
      sep: { action: null, warnings: expect.arrayContaining(["Nobody there."]) },
    });
  });
});

describe("the other routes", () => {
  it("measure the entropy of samples, and of texts", async () => {
    await using server = open();
    const { entropy } = (await chat(server, { sep: { samples: 4 }, seed: 3 })).choices[0].sep;
    expect(entropy).toMatchObject({ samples: 4, equivalence: "math" });
    expect(entropy.semantic_entropy).toBeLessThanOrEqual(Math.log(4));
    const texts = await (
      await post(server, "/v1/entropy", { texts: ["42", "\\boxed{42}", "41", "x"] })
    ).json();
    expect(texts).toMatchObject({
      discrete_semantic_entropy: expect.closeTo(1.0397, 4),
      clusters: [{ answer: "42", members: [0, 1], share: 0.5 }, {}, {}],
    });
  });

  it("assess given answers as `sep score` does, and questions before an answer", async () => {
    await using server = open();
    const answer = "<think>\n8-9\n</think>\n\n\\boxed{39}";
    const scored = await scoreQuestion(pocket, after, QUESTION, { answer });
    const given = { question: QUESTION, answer };
    const one = (await (await post(server, "/v1/risk", { ...given, tokens: true })).json()) as Body;
    expect(one).toMatchObject({ score: scored.score, risk: scored.risk, warnings: scored.warnings });
    expect(one.tokens).toHaveLength(one.answer_tokens - 1);
    const messages = [...USER, { role: "assistant", content: answer }];
    const many = (await (await post(server, "/v1/risk", { inputs: [given, { messages }] })).json()) as Body;
    expect(many.data.map(({ risk }: { risk: number }) => risk)).toEqual([one.risk, one.risk]);
    const early = await scoreQuestion(pocket, before, QUESTION);
    const asked = (await (
      await post(server, "/v1/risk", { question: QUESTION, probe: "before" })
    ).json()) as Body;
    expect(asked.risk).toBeCloseTo(early.risk!, 6);
    const refused = await post(server, "/v1/risk", { inputs: [{ question: QUESTION }] });
    expect(refused.status).toBe(400);
    expect(await refused.json()).toMatchObject({ error: { param: "inputs[0].answer" } });
  });

  it("list the model and the probes, and count", async () => {
    await using server = open({ modelName: "mine" });
    const get = async (path: string): Promise<Body> => (await server.app.request(path)).json();
    expect((await get("/v1/models")).data).toMatchObject([{ id: "mine" }]);
    expect(await get("/v1/models/other")).toMatchObject({ error: { code: "model_not_found" } });
    expect((await get("/v1/probes")).data).toMatchObject([
      { id: "after", risk_of: "incorrect" },
      { id: "before" },
    ]);
    expect(await get("/nowhere")).toMatchObject({ error: { code: "unknown_route" } });
    await chat(server, {});
    const text = await (await server.app.request("/metrics")).text();
    expect(text).toContain('sep_decisions_total{probe="after",decision="abstain",action="none"} 1');
    expect(text).toContain('sep_requests_total{route="/v1/chat/completions",status="200"} 1');
    expect(text).not.toContain(QUESTION);
  });

  it("block what the probe does not vouch for, for LiteLLM", async () => {
    await using server = open();
    const guard = async (body: object): Promise<Body> =>
      (await post(server, "/beta/litellm_basic_guardrail_api", body)).json();
    const call = { litellm_call_id: "c1" };
    const asked = { input_type: "request", structured_messages: USER, texts: [QUESTION] };
    const said = { input_type: "response", texts: ["\\boxed{29}"] };
    expect(await guard({ ...said, ...call })).toMatchObject({ error: { code: "request_unknown" } });
    expect(await guard({ ...asked, ...call })).toEqual({ action: "NONE" });
    expect(await guard({ ...said, ...call })).toMatchObject({ action: "BLOCKED" });
    const before = { additional_provider_specific_params: { probe: "before" } };
    expect(await guard({ ...asked, ...before })).toMatchObject({ action: "BLOCKED" });
  });
});

describe("load", () => {
  it("is refused beyond the queue, and by a server that drains", async () => {
    const server = open({ limits: { concurrent: 1, queued: 1 } });
    const statuses = await Promise.all(
      Array.from(
        { length: 4 },
        async () => (await post(server, "/v1/chat/completions", { messages: USER })).status,
      ),
    );
    expect(statuses.sort()).toEqual([200, 200, 429, 429]);
    await server.drain();
    const refused = await post(server, "/v1/chat/completions", { messages: USER });
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "1"]);
    expect((await server.app.request("/health")).status).toBe(503);
  });

  it("ends with the time limit, and with the client", async () => {
    await using server = open({ limits: { timeMs: 1 } });
    expect((await post(server, "/v1/chat/completions", { messages: USER })).status).toBe(504);
    await using patient = open({ limits: { concurrent: 1, queued: 1 } });
    const response = await post(patient, "/v1/chat/completions", { messages: USER, stream: true });
    await response.body?.cancel();
    // the only place is free again
    expect((await post(patient, "/v1/chat/completions", { messages: USER })).status).toBe(200);
  });
});
