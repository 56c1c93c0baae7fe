import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { probeOf } from "../../test/fakes/model-probe.ts";
import { liveModelOf } from "../backends/local/local-backend.ts";
import { loadModel } from "../checkpoint/load-model.ts";
import type { LanguageModel } from "../engine/language-model.ts";
import { describeObservation } from "../engine/observation.ts";
import type { Probe } from "../probes/probe.ts";
import { createServer } from "./create-server.ts";
import { createScorer } from "./score-question.ts";

const QUESTION = "What is 48 - 19?";

let pocket: LanguageModel;
let probe: Probe;
beforeAll(async () => {
  pocket = await loadModel("pocket", { threads: 1 });
  const prompt = { prompt_format: "chat", system_prompt: null, enable_thinking: null };
  const own = probeOf(pocket, "last-token", { asking: null });
  probe = { ...own, source: { ...own.source, ...describeObservation({ writer: "closed-1", prompt }) } };
});
afterAll(() => pocket[Symbol.asyncDispose]());

describe("a server with an observer's probe", () => {
  it("scores given answers as `sep score` does, and says nothing of what its own model generates", async () => {
    await using server = createServer({
      live: liveModelOf(pocket),
      probes: [{ name: "observer", sha256: "a".repeat(64), probe }],
    });
    const post = async (
      path: string,
      body: object,
    ): Promise<{ readonly status: number; readonly body: object }> => {
      const headers = { "content-type": "application/json" };
      const response = await server.app.request(path, {
        method: "POST",
        headers,
        body: JSON.stringify(body),
      });
      return { status: response.status, body: (await response.json()) as object };
    };
    const answer = "[THINK]48 - 19 = 29[/THINK]\nIt is 29.\nQuestion: no stop string ends it";
    const scored = await createScorer(pocket, probe).score(QUESTION, { answer });
    const risk = await post("/v1/risk", { question: QUESTION, answer });
    expect(risk.status).toBe(200);
    expect((risk.body as { readonly score: number }).score).toBeCloseTo(scored.score!, 6);
    expect(scored).toMatchObject({ think_status: "closed", read_at: { token: "<|im_end|>" } });

    const alone = await post("/v1/risk", { question: QUESTION });
    expect(alone).toMatchObject({ status: 400, body: { error: { code: "answer_needed" } } });
    const chat = await post("/v1/chat/completions", { messages: [{ role: "user", content: QUESTION }] });
    expect(chat).toMatchObject({
      status: 400,
      body: { error: { code: "observer_probe", param: "sep.probe" } },
    });
  });
});
