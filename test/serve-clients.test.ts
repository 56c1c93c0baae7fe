import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { ChatOpenAI } from "@langchain/openai";
import { generateText, streamText, wrapLanguageModel } from "ai";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type AnswerRisk,
  type RiskMiddlewareOptions,
  readRisk,
  riskMetadata,
  riskMiddleware,
} from "../src/ai-sdk.ts";
import { loadModel } from "../src/checkpoint/load-model.ts";
import type { LanguageModel } from "../src/engine/language-model.ts";
import type { SepError } from "../src/errors.ts";
import { stageServer } from "./fakes/serve-stage.ts";

const QUESTION = "What is 48 - 19?";
const MESSAGES = [{ role: "user" as const, content: QUESTION }];
const KEY = "a-key-of-the-test";

/** What a plain request gets, and every client must. */
interface Expected {
  readonly text: string;
  readonly sep: AnswerRisk;
}

let pocket: LanguageModel;
let stage: Awaited<ReturnType<typeof stageServer>>;
let expected: Expected;
beforeAll(async () => {
  pocket = await loadModel("pocket", { threads: 1 });
  stage = await stageServer(pocket, {}, { token: KEY });
  const response = await fetch(`${stage.base}/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${KEY}` },
    body: JSON.stringify({ messages: MESSAGES, sep: { tokens: true } }),
  });
  const { choices } = (await response.json()) as {
    choices: [{ message: { content: string }; sep: AnswerRisk }];
  };
  expected = { text: choices[0].message.content, sep: choices[0].sep };
  expect(expected.text).toContain("boxed");
  expect(expected.sep.risk).toBeGreaterThan(0);
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
  await pocket[Symbol.asyncDispose]();
});

/** Times differ, and nothing else: the sampler is greedy. */
function expectRisk(got: Partial<AnswerRisk> | undefined, { tokens }: { readonly tokens: boolean }): void {
  const { timings: _, tokens: all, ...wanted } = expected.sep;
  expect(got).toMatchObject(tokens ? { ...wanted, tokens: all } : wanted);
  if (!tokens) expect(got).not.toHaveProperty("tokens");
}

/** What the client's types do not know of a choice. */
const sepOf = (choice: unknown): Partial<AnswerRisk> | undefined =>
  (choice as { sep?: Partial<AnswerRisk> }).sep;

describe("the openai package", () => {
  const client = (apiKey = KEY): OpenAI => new OpenAI({ baseURL: stage.base, apiKey, maxRetries: 0 });

  it("gets an answer with its risk, in the body and in headers", async () => {
    const asked = client().chat.completions.create({ model: "pocket", messages: MESSAGES });
    const { data, response } = await asked.withResponse();
    expect(data.choices[0]?.message.content).toBe(expected.text);
    expectRisk(sepOf(data.choices[0]), { tokens: false });
    expect(Number(response.headers.get("x-sep-risk"))).toBe(expected.sep.risk);
    expect(response.headers.get("x-sep-decision")).toBe("abstain");
  });

  it("streams the same text, and the risk of each token", async () => {
    const stream = await client().chat.completions.create({
      model: "pocket",
      messages: MESSAGES,
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = "";
    const tokens: unknown[] = [];
    let last: Partial<AnswerRisk> | undefined;
    let usage: number | undefined;
    for await (const { choices, usage: counted } of stream) {
      text += choices[0]?.delta.content ?? "";
      const sep = choices[0] && sepOf(choices[0]);
      tokens.push(...(sep?.tokens ?? []));
      if (choices[0]?.finish_reason) last = sep;
      usage ??= counted?.completion_tokens;
    }
    expect(text).toBe(expected.text);
    expectRisk({ ...last, tokens: tokens as NonNullable<AnswerRisk["tokens"]> }, { tokens: true });
    expect(usage).toBe(tokens.length + 1); // the end token
  });

  it("says in `sep` which probe decides, and asks the older API and for the models", async () => {
    const body = { model: "pocket", messages: MESSAGES, sep: { probe: "before", samples: 2 } };
    const { choices } = await client().chat.completions.create(body);
    expect(sepOf(choices[0])).toMatchObject({
      probe: "before",
      place: "before-generation",
      token_index: -1,
      entropy: { samples: 2 },
    });
    const { choices: texts } = await client().completions.create({ model: "pocket", prompt: "1 + 1 =" });
    expect(sepOf(texts[0])?.probe).toBe("after");
    const models: string[] = [];
    for await (const { id } of client().models.list()) models.push(id);
    expect(models).toEqual(["pocket"]);
  });

  it("throws its own errors, which name the field", async () => {
    const { BadRequestError, AuthenticationError, NotFoundError } = OpenAI;
    const ask = (body: object, key = KEY): Promise<unknown> =>
      client(key).chat.completions.create({ model: "pocket", messages: MESSAGES, ...body });
    await expect(ask({ temperature: -1 })).rejects.toThrow(BadRequestError);
    await expect(ask({ temperature: -1 })).rejects.toMatchObject({ param: "temperature" });
    await expect(ask({ sep: { probe: "none" } })).rejects.toThrow(NotFoundError);
    await expect(ask({}, "another key")).rejects.toThrow(AuthenticationError);
  });
});

describe("the AI SDK", () => {
  const provider = (changes: { readonly baseURL?: string; readonly hasMetadata?: boolean } = {}) =>
    createOpenAICompatible({
      name: "risk",
      baseURL: changes.baseURL ?? stage.base,
      apiKey: KEY,
      ...(changes.hasMetadata === false ? {} : { metadataExtractor: riskMetadata }),
    });
  const guarded = (options: RiskMiddlewareOptions, model = provider()("pocket")) =>
    wrapLanguageModel({ model, middleware: riskMiddleware(options) });
  const REPLACE: RiskMiddlewareOptions = { replace: ({ decision }) => `No: ${decision}.` };
  const NEVER: RiskMiddlewareOptions = { shouldWithhold: () => false };

  it("has the risk in the metadata of a text", async () => {
    const result = await generateText({ model: provider()("pocket"), prompt: QUESTION });
    expect(result.text).toBe(expected.text);
    expectRisk(readRisk(result.providerMetadata), { tokens: false });
  });

  it("has it after a stream, with the tokens'", async () => {
    const result = streamText({ model: provider()("pocket"), prompt: QUESTION });
    let text = "";
    for await (const delta of result.textStream) text += delta;
    expect(text).toBe(expected.text);
    expectRisk(readRisk(await result.providerMetadata), { tokens: true });
  });

  it("sends what a request says of its risk as an option of the provider", async () => {
    const { providerMetadata } = await generateText({
      model: provider()("pocket"),
      prompt: QUESTION,
      providerOptions: { risk: { sep: { probe: "before", tokens: true } } },
    });
    expect(readRisk(providerMetadata)).toMatchObject({ probe: "before", tokens: expect.any(Array) });
  });

  it("gives what may be given, and replaces or refuses what may not", async () => {
    const given = await generateText({ model: guarded(NEVER), prompt: QUESTION });
    expect(given.text).toBe(expected.text);
    const replaced = await generateText({ model: guarded(REPLACE), prompt: QUESTION });
    expect(replaced).toMatchObject({ text: "No: abstain.", finishReason: "content-filter" });
    expect(JSON.stringify(replaced.response)).not.toContain("boxed");
    expectRisk(readRisk(replaced.providerMetadata), { tokens: false });
    const refused = await generateText({ model: guarded({}), prompt: QUESTION }).catch((error) => error);
    expect(refused).toMatchObject({ code: "answer-withheld", cause: { decision: "abstain" } });
  });

  it("does so with streams, of which nothing is seen before", async () => {
    const read = async (options: RiskMiddlewareOptions) => {
      const codes: string[] = [];
      const result = streamText({
        model: guarded(options),
        prompt: QUESTION,
        includeRawChunks: true,
        onError: ({ error }) => void codes.push((error as SepError).code),
      });
      let [text, rawChunks] = ["", 0];
      for await (const part of result.fullStream) {
        if (part.type === "text-delta") text += part.text;
        if (part.type === "raw") rawChunks += 1;
      }
      return { text, rawChunks, codes };
    };
    const all = await read(NEVER);
    expect(all).toMatchObject({ text: expected.text, codes: [] });
    expect(all.rawChunks).toBeGreaterThan(3);
    expect(await read(REPLACE)).toEqual({ text: "No: abstain.", rawChunks: 0, codes: [] });
    expect(await read({})).toEqual({ text: "", rawChunks: 0, codes: ["answer-withheld"] });
  });

  it("leaves alone what the server has replaced, and fails without a risk", async () => {
    const policy = { name: "abstain", abstainText: "I do not know." } as const;
    await using strict = await stageServer(pocket, { policy });
    const model = provider({ baseURL: strict.base })("pocket");
    const { text } = await generateText({ model: guarded({}, model), prompt: QUESTION });
    expect(text).toBe("I do not know.");
    const bare = guarded(NEVER, provider({ hasMetadata: false })("pocket"));
    await expect(generateText({ model: bare, prompt: QUESTION })).rejects.toMatchObject({
      code: "server-mismatch",
    });
  });
});

describe("LangChain's ChatOpenAI", () => {
  const model = (changes: object = {}): ChatOpenAI =>
    new ChatOpenAI({
      model: "pocket",
      apiKey: KEY,
      maxRetries: 0,
      configuration: { baseURL: stage.base },
      ...changes,
    });

  it("gets an answer, and its risk in the raw response", async () => {
    const message = await model({ __includeRawResponse: true }).invoke(QUESTION);
    expect(message.content).toBe(expected.text);
    const raw = message.additional_kwargs.__raw_response as { choices: unknown[] };
    expectRisk(sepOf(raw.choices[0]), { tokens: false });
  });

  it("streams, with the risk in raw chunks, and sends `sep`", async () => {
    let text = "";
    const seen: Partial<AnswerRisk>[] = [];
    const asked = model({ __includeRawResponse: true, modelKwargs: { sep: { probe: "before" } } });
    for await (const chunk of await asked.stream(QUESTION)) {
      text += chunk.content;
      const raw = chunk.additional_kwargs.__raw_response as { choices: unknown[] } | undefined;
      const sep = raw?.choices[0] && sepOf(raw.choices[0]);
      if (sep) seen.push(sep);
    }
    expect(text).toBe(expected.text);
    expect(seen.at(-1)).toMatchObject({ probe: "before", decision: "abstain" });
  });
});

describe("curl -N", () => {
  it("shows chunks as they come, and the end", async () => {
    const body = JSON.stringify({ messages: MESSAGES, stream: true });
    const headers = ["-H", "content-type: application/json", "-H", `authorization: Bearer ${KEY}`];
    const all = ["-sSN", `${stage.base}/chat/completions`, ...headers, "-d", body];
    const { stdout } = await promisify(execFile)("curl", all);
    const events = stdout.split("\n\n").filter((event) => event !== "");
    expect(events.every((event) => event.startsWith("data: "))).toBe(true);
    expect(events.at(-1)).toBe("data: [DONE]");
    const last = JSON.parse((events.at(-2) as string).slice("data: ".length));
    expect(last.choices[0].finish_reason).toBe("stop");
    expect(last.choices[0].sep.risk).toBe(expected.sep.risk);
  });
});
