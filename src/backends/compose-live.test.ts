import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { asking, probeOf } from "../../test/fakes/model-probe.ts";
import { loadModel } from "../checkpoint/load-model.ts";
import type { LanguageModel } from "../engine/language-model.ts";
import { TRACE_POSITIONS } from "../engine/places.ts";
import { drain } from "../net/map-concurrently.ts";
import { createScorer, scoreQuestion } from "../serve/score-question.ts";
import { composeLive } from "./compose-live.ts";
import type { LiveModel } from "./live-model.ts";
import { createLocalBackend } from "./local/local-backend.ts";

const QUESTION = "What is 48 - 19?";
/** Passes of other lengths add up float32 numbers in another order. */
const TOLERANCE = 1e-5;

let pocket: LanguageModel;
let composed: LiveModel;
beforeAll(async () => {
  pocket = await loadModel("pocket", { threads: 1 });
  const { openSampler, openReader, ...parts } = createLocalBackend(pocket);
  composed = await drain(composeLive({ ...parts, openSampler }, { ...parts, openReader }).openLive());
});
afterAll(async () => {
  await composed[Symbol.asyncDispose]();
  await pocket[Symbol.asyncDispose]();
});

describe("a backend of whole answers and whole sequences, live", () => {
  it.each(TRACE_POSITIONS)("says at %s what the engine says while it generates", async (position) => {
    const sampler = { ...asking().sampler, maxNewTokens: 160 };
    const probe = probeOf(pocket, position, { asking: asking({ prompt_format: "chat", sampler }) });
    const live = createScorer(composed, probe);
    for (const options of [{}, { answer: "<think>\n8-9\n</think>\n\n\\boxed{39}" }]) {
      const { score, risk, ...rest } = await live.score(QUESTION, options);
      const expected = await scoreQuestion(pocket, probe, QUESTION, options);
      expect(expected).toMatchObject(rest);
      expect(Math.abs(score! - expected.score!)).toBeLessThan(TOLERANCE);
      expect(Math.abs(risk! - expected.risk!)).toBeLessThan(TOLERANCE);
    }
  });

  it("streams the answer's text, and refuses what it does not know", async () => {
    const events = composed.generate(
      {
        text: "",
        tokenIds: pocket.tokenizer.encode("1+1=", { specialTokens: false }),
        opensReasoning: false,
      },
      { sampler: { ...asking().sampler, temperature: 0, maxNewTokens: 20 }, runIds: [0, 1], layers: [1] },
    );
    const texts = ["", ""];
    for await (const event of events) {
      if (event.kind === "token") texts[event.row] += event.delta;
      if (event.kind === "end") expect(event.answer.text).toBe(texts[event.row]);
    }
    await expect(
      composed
        .generate(
          { text: "", tokenIds: [1], opensReasoning: false },
          { sampler: asking().sampler, topLogprobs: 2 },
        )
        .next(),
    ).rejects.toThrow(/top_logprobs/);
    const mute = await drain(composeLive(undefined, createLocalBackend(pocket)).openLive());
    await expect(
      mute.generate({ text: "", tokenIds: [1], opensReasoning: false }, { sampler: asking().sampler }).next(),
    ).rejects.toMatchObject({ code: "bad-backend" });
  });
});
