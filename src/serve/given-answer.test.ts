import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeProbe } from "../../test/fakes/make-probe.ts";
import { asking, probeOf } from "../../test/fakes/model-probe.ts";
import { loadModel } from "../checkpoint/load-model.ts";
import { extendRows } from "../engine/generate/extend-rows.ts";
import type { LanguageModel } from "../engine/language-model.ts";
import type { TracePosition } from "../engine/places.ts";
import { emptyKvBlock } from "../engine/session/kv-block.ts";
import { buildPrompt } from "../engine/tokenizer/build-prompt.ts";
import type { Probe } from "../probes/probe.ts";
import { createScorer, type ScoredQuestion, scoreQuestion } from "./score-question.ts";

const QUESTION = "What is 48 - 19?";
const CHAT = asking({ prompt_format: "chat", sampler: { ...asking().sampler, maxNewTokens: 160 } });
/** Passes of other lengths add up float32 numbers in another order. */
const TOLERANCE = 1e-5;

let pocket: LanguageModel;
beforeAll(async () => {
  pocket = await loadModel("pocket", { threads: 1 });
});
afterAll(() => pocket[Symbol.asyncDispose]());

const chatProbe = (position: TracePosition, changes: Partial<Probe> = {}): Probe =>
  probeOf(pocket, position, { asking: CHAT, ...changes });

const baseline = makeProbe({
  features: "mean-think-entropy",
  position: null,
  layer: null,
  width: 1,
  source: {},
  mean: Float32Array.of(0),
  scale: Float32Array.of(1),
  coefficients: Float32Array.of(1),
  intercept: 0,
  asking: CHAT,
});

function expectSame(given: ScoredQuestion, generated: ScoredQuestion): void {
  expect(Math.abs(given.score! - generated.score!)).toBeLessThan(TOLERANCE);
  expect(Math.abs(given.risk! - generated.risk!)).toBeLessThan(TOLERANCE);
  const { score: _score, risk: _risk, generated_tokens: _tokens, is_given, warnings, ...rest } = given;
  expect(generated).toMatchObject(rest);
  expect(is_given).toBe(true);
  expect(warnings).toEqual([...generated.warnings, expect.stringMatching(/was given, not generated/)]);
}

describe("an answer that is given", () => {
  it.each<TracePosition>(["before-generation", "second-to-last", "think-end", "last-token"])(
    "is scored at %s as if it had been generated",
    async (position) => {
      const scorer = createScorer(pocket, chatProbe(position));
      const generated = await scorer.score(QUESTION);
      expect(generated.think_status).toBe("closed");
      const answer = generated.output_text!;
      expectSame(await scorer.score(QUESTION, { answer }), generated);
      // the end token may stand in the text, and is not doubled
      expectSame(await scorer.score(QUESTION, { answer: `${answer}<|im_end|>` }), generated);
    },
  );

  it("is read for its entropies too", async () => {
    const generated = await scoreQuestion(pocket, baseline, QUESTION);
    const answer = generated.output_text!;
    expectSame(await scoreQuestion(pocket, baseline, QUESTION, { answer }), generated);
  });

  it("has the entropies of a reasoning that is longer than what is read at a time", async () => {
    const think = Array.from({ length: 40 }, (_, i) => `${i}+1=${i + 1}`).join("\n");
    const answer = `<think>\n${think}\n</think>\n\n\\boxed{1}`;
    const { score } = await scoreQuestion(pocket, baseline, QUESTION, { answer });
    const prompt = buildPrompt(pocket.tokenizer, QUESTION, { format: "chat" }).tokenIds;
    const tokens = pocket.tokenizer.encode(answer, { specialTokens: false });
    const end = tokens.indexOf(pocket.tokenizer.tokenId("</think>")!);
    expect(end).toBeGreaterThan(150);
    const { sums } = await extendRows(pocket.session, [[...prompt, ...tokens]], {
      prefix: emptyKvBlock(pocket.config, 1),
      suffix: emptyKvBlock(pocket.config, 1),
      predict: Array.from({ length: end - 1 }, (_, i) => ({ row: 0, offset: prompt.length + i })),
    });
    const mean = sums.reduce((sum, { entropy }) => sum + entropy, 0) / sums.length;
    expect(score).toBeCloseTo(1 / (1 + Math.exp(-mean)), 5);
  });

  it("ends with the likeliest of several end tokens", async () => {
    const probe = chatProbe("last-token");
    const generated = await scoreQuestion(pocket, probe, QUESTION);
    expect(generated.read_at!.token).toBe("<|im_end|>");
    const unlikely = pocket.tokenizer.encode("q", { specialTokens: false })[0]!;
    const either = { ...pocket, endTokenIds: new Set([unlikely, ...pocket.endTokenIds]) };
    const answer = generated.output_text!;
    const [one, two] = [
      await scoreQuestion(pocket, probe, QUESTION, { answer }),
      await scoreQuestion(either, probe, QUESTION, { answer }),
    ];
    expect(two.read_at).toEqual(one.read_at);
    expect(Math.abs(one.score! - two.score!)).toBeLessThan(TOLERANCE);
    const empty = await scoreQuestion(either, probe, QUESTION, { answer: "" });
    expect(empty.read_at).toMatchObject({ token_index: empty.prompt_tokens });
    expect(empty.answer).toBe("");
  });

  it("ends with the stop string where generating would", async () => {
    const sampler = { ...CHAT.sampler, stopStrings: ["\n"] };
    const probe = chatProbe("last-token", { asking: { ...CHAT, sampler } });
    const generated = await scoreQuestion(pocket, probe, QUESTION);
    expect(generated).toMatchObject({ output_text: "<think>", read_at: { token: "\n" } });
    expectSame(await scoreQuestion(pocket, probe, QUESTION, { answer: "<think>" }), generated);
    expectSame(await scoreQuestion(pocket, probe, QUESTION, { answer: "<think>\n" }), generated);
    await expect(scoreQuestion(pocket, probe, QUESTION, { answer: "a\nb" })).rejects.toThrow(
      /continues after "\\n"/,
    );
  });

  it("is null-scored where it lacks the token, and read whatever is skipped", async () => {
    const plain = await scoreQuestion(pocket, chatProbe("think-end"), QUESTION, { answer: "\\boxed{29}" });
    expect(plain).toMatchObject({ answer: "\\boxed{29}", think_status: "none", score: null, read_at: null });
    const threshold = {
      kind: "risk",
      target: 0.1,
      threshold: 0,
      guarantee: "G",
      calibration_questions: 9,
    } as const;
    const never = chatProbe("before-generation", {
      decisions: [{ kind: "risk", target: 0.1, threshold, reason: null }],
    });
    const options = { skipAbstained: true, answer: "29" };
    expect(await scoreQuestion(pocket, never, QUESTION, options)).toMatchObject({
      decision: "abstain",
      abstain_reason: "risk",
      answer: "29",
    });
  });

  it("is refused where it goes on after its end, or does not fit", async () => {
    const scorer = createScorer(pocket, chatProbe("last-token"));
    await expect(scorer.score(QUESTION, { answer: "29<|im_end|>\nmore" })).rejects.toMatchObject({
      code: "bad-option",
      message: expect.stringContaining('continues after "<|im_end|>"'),
    });
    await expect(scorer.score(QUESTION, { answer: "1+".repeat(5000) })).rejects.toMatchObject({
      code: "prompt-too-long",
    });
  });
});
