import { expect, test } from "vitest";
import type { Json } from "../../formats/json.ts";
import { createServerJudge, type ServerJudgeOptions } from "./open-openai.ts";

interface Asked {
  readonly url: string;
  readonly init: RequestInit;
}

/** A server that answers from a list; an Error is a lost connection. */
function serving(
  answers: readonly (Response | Error)[],
  changes: Partial<ServerJudgeOptions> = {},
): { readonly options: ServerJudgeOptions; readonly asked: Asked[]; readonly waitsMs: number[] } {
  const asked: Asked[] = [];
  const waitsMs: number[] = [];
  const options: ServerJudgeOptions = {
    url: "http://localhost:8000/v1",
    model: "judge-7b",
    fetch: async (url, init) => {
      asked.push({ url: String(url), init: init ?? {} });
      const answer = answers[asked.length - 1];
      if (answer === undefined || answer instanceof Error) throw answer ?? new Error("asked too often");
      return answer;
    },
    sleep: async (durationMs) => void waitsMs.push(durationMs),
    random: () => 0,
    ...changes,
  };
  return { options, asked, waitsMs };
}

const completion = (content: string | null): Response =>
  Response.json({ choices: [{ message: { role: "assistant", content } }] });
const ask = (options: ServerJudgeOptions): Promise<string> =>
  createServerJudge(options).complete("Same?", { labels: ["yes", "no"] });

test("it asks for a chat completion, greedily, with the key to this address only", async () => {
  const { options, asked } = serving([completion("yes")], { apiKey: "secret" });
  expect(await ask(options)).toBe("yes");
  expect(asked[0]?.url).toBe("http://localhost:8000/v1/chat/completions");
  expect(asked[0]?.init).toMatchObject({ method: "POST", headers: { authorization: "Bearer secret" } });
  expect(JSON.parse(asked[0]?.init.body as string)).toEqual({
    model: "judge-7b",
    messages: [{ role: "user", content: "Same?" }],
    temperature: 0,
    max_tokens: 1024,
  });
});

test.each([
  ["http://localhost:8000", "http://localhost:8000/v1/chat/completions"],
  ["http://localhost:8000/v1/", "http://localhost:8000/v1/chat/completions"],
  ["https://user:word@host/api/v3?x=1", "https://host/api/v3/chat/completions"],
  ["http://host/v1/chat/completions", "http://host/v1/chat/completions"],
])("%s is asked at %s", (url, endpoint) => {
  const { provenance } = createServerJudge(serving([], { url }).options);
  expect((provenance as { readonly endpoint: Json }).endpoint).toBe(endpoint);
});

test("what passes is tried again, as late as the server asks", async () => {
  const { options, waitsMs } = serving([
    new Error("connection reset"),
    new Response("busy", { status: 429, headers: { "retry-after": "7" } }),
    new Response("oh", { status: 503 }),
    completion("no"),
  ]);
  expect(await ask(options)).toBe("no");
  expect(waitsMs).toEqual([1000, 7000, 4000]);
});

test.each([
  ["a refusal", [new Response('{"error":"no such model"}', { status: 404 })], "answered 404", 1],
  ["a page", [new Response("<html>")], "did not answer with JSON", 1],
  ["something else", [Response.json({ ok: true })], "without choices", 1],
  ["no connection", Array.from({ length: 9 }, () => new Error("refused")), "gives no answer (refused)", 5],
])("%s is an error that says so", async (_name, answers, message, tries) => {
  const { options, asked } = serving(answers);
  const failure = await ask(options).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: "judge-failed", message: expect.stringContaining(message) });
  expect(asked.length).toBe(tries);
});

test("a reply of reasoning alone is empty, which parses as nothing", async () => {
  expect(await ask(serving([completion(null)]).options)).toBe("");
});

test("an address that is none is a bad option; an aborted signal ends the asking", async () => {
  const bad = serving([], { url: "localhost:8000" }).options;
  expect(() => createServerJudge(bad)).toThrow(expect.objectContaining({ code: "bad-option" }));
  const stop = new AbortController();
  const { options, asked } = serving([new Error("reset"), completion("yes")], {
    sleep: async (_durationMs, signal) => {
      stop.abort(new Error("enough"));
      signal?.throwIfAborted();
    },
  });
  const asking = createServerJudge(options).complete("?", { labels: ["yes"], signal: stop.signal });
  await expect(asking).rejects.toThrow("enough");
  expect(asked.length).toBe(1);
});
