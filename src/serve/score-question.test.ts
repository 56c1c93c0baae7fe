import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeProbe } from "../../test/fakes/make-probe.ts";
import { asking, probeOf } from "../../test/fakes/model-probe.ts";
import { loadModel } from "../checkpoint/load-model.ts";
import { sampleAnswers } from "../engine/generate/generate.ts";
import type { LanguageModel } from "../engine/language-model.ts";
import type { SinglePosition } from "../engine/places.ts";
import { buildPrompt } from "../engine/tokenizer/build-prompt.ts";
import { pickStates } from "../probes/pick-states.ts";
import type { Probe } from "../probes/probe.ts";
import { scoreProbe } from "../probes/score-probe.ts";
import { describePromptFormat } from "../samples/describe-prompt-format.ts";
import { createScorer, scoreQuestion } from "./score-question.ts";

const CHECKPOINT = fileURLToPath(new URL("../../test/golden/checkpoints/qwen3-tied", import.meta.url));
const QUESTION = "What is 2 + 3?";

let model: LanguageModel;
let pocket: LanguageModel;
beforeAll(async () => {
  model = await loadModel(CHECKPOINT, { threads: 1 });
  pocket = await loadModel("pocket", { threads: 1 });
});
afterAll(async () => {
  await model[Symbol.asyncDispose]();
  await pocket[Symbol.asyncDispose]();
});

describe("scoreQuestion", () => {
  it.each<SinglePosition>(["before-generation", "second-to-last", "think-end", "last-token"])(
    "reads the %s token of a reasoning answer as the trace step would",
    async (position) => {
      const probe = probeOf(pocket, position, {
        asking: asking({ prompt_format: "chat", sampler: { ...asking().sampler, maxNewTokens: 160 } }),
      });
      const scored = await scoreQuestion(pocket, probe, QUESTION);
      expect(scored).toMatchObject({ answer: "\\boxed{5}", think_status: "closed", finish_reason: "stop" });
      const prompt = buildPrompt(pocket.tokenizer, QUESTION, { format: "chat" }).tokenIds;
      const output = pocket.tokenizer.encode(scored.output_text!, { specialTokens: false });
      const ids = [...prompt, ...output, ...[...pocket.endTokenIds].slice(0, 1)];
      const { token_index, token } = scored.read_at!;
      const expected = {
        "before-generation": [prompt.length - 1, "\n"],
        "second-to-last": [ids.length - 2, "}"],
        "think-end": [ids.indexOf(pocket.tokenizer.tokenId("</think>")!), "</think>"],
        "last-token": [ids.length - 1, "<|im_end|>"],
      }[position];
      expect([token_index, token]).toEqual(expected);
      const trace = await pocket.trace(ids, { layers: [1, 2], positions: [token_index] });
      const traced = {
        model: pocket,
        prompt: { tokenIds: prompt, opensReasoning: false },
        answer: {
          tokenIds: ids.slice(prompt.length),
          text: scored.output_text!,
          answerTokenCount: ids.length - prompt.length - (scored.finish_reason === "stop" ? 1 : 0),
        },
      };
      const states = pickStates(trace, probe, traced);
      expect(Math.abs(scored.score! - scoreProbe(probe, states!)[0]!)).toBeLessThan(1e-5);
      expect(scored.risk).toBeCloseTo(
        1 / (1 + Math.exp(-(2 * Math.log(scored.score! / (1 - scored.score!)) + 0.25))),
        9,
      );
    },
  );

  it("reads the answer's last token, and not the stop string's, for second-to-last", async () => {
    const sampler = { ...asking().sampler, maxNewTokens: 160, stopStrings: ["}"] };
    const place = async (position: SinglePosition) => {
      const probe = probeOf(pocket, position, { asking: asking({ prompt_format: "chat", sampler }) });
      const { answer, prompt_tokens, generated_tokens, read_at } = await scoreQuestion(
        pocket,
        probe,
        QUESTION,
      );
      expect(answer).toBe("\\boxed{5");
      return [read_at!.token, prompt_tokens + generated_tokens - read_at!.token_index];
    };
    expect(await place("second-to-last")).toEqual(["5", 2]);
    expect(await place("last-token")).toEqual(["}", 1]);
  });

  it("reads where a cut-off answer ends, and says where there is nothing to read", async () => {
    const scored = await scoreQuestion(model, probeOf(model, "second-to-last"), QUESTION);
    expect(scored).toMatchObject({ finish_reason: "length", generated_tokens: 7 });
    expect(scored.read_at!.token_index).toBe(scored.prompt_tokens + 6);
    const without = await scoreQuestion(model, probeOf(model, "think-end"), QUESTION);
    expect(without).toMatchObject({ score: null, risk: null, decision: null, read_at: null });
    expect(without.warnings[0]).toMatch(/no think-end token/);
  });

  it("reads the entropy of the reasoning for the baseline", async () => {
    const own = asking({ prompt_format: "chat", sampler: { ...asking().sampler, maxNewTokens: 160 } });
    const baseline = {
      ...makeProbe(),
      features: "mean-think-entropy",
      position: null,
      layer: null,
      width: 1,
    } as const;
    const weights = { mean: Float32Array.of(0), scale: Float32Array.of(1), coefficients: Float32Array.of(1) };
    const scored = await scoreQuestion(
      pocket,
      { ...baseline, ...weights, intercept: 0, source: {}, asking: own },
      QUESTION,
    );
    const entropy = Math.log(scored.score! / (1 - scored.score!)); // the logit of weight 1
    const prompt = buildPrompt(pocket.tokenizer, QUESTION, { format: "chat" }).tokenIds;
    const [drawn] = await sampleAnswers(pocket, prompt, {
      runIds: [0],
      sampler: { ...own.sampler, temperature: 0 },
      seed: 1,
      streamKey: "",
    });
    const end = drawn!.tokenIds.indexOf(pocket.tokenizer.tokenId("</think>")!);
    const think = drawn!.entropies.slice(1, end);
    expect(entropy).toBeCloseTo(think.reduce((sum, each) => sum + each, 0) / think.length, 6);
    expect(scored.read_at).toBeNull();
  });

  it("decides before generating, and then need not generate", async () => {
    const threshold = (at: number): Probe["decisions"] => [
      {
        kind: "risk",
        target: 0.1,
        threshold: { kind: "risk", target: 0.1, threshold: at, guarantee: "G", calibration_questions: 9 },
        reason: null,
      },
    ];
    const never = probeOf(model, "before-generation", { decisions: threshold(0) });
    const skipped = await scoreQuestion(model, never, QUESTION, { skipAbstained: true });
    expect(skipped).toMatchObject({ answer: null, generated_tokens: 0, decision: "abstain", guarantee: "G" });
    const answered = await scoreQuestion(model, never, QUESTION);
    expect(answered).toMatchObject({ decision: "abstain", generated_tokens: 7, score: skipped.score });
    const always = probeOf(model, "before-generation", { decisions: threshold(1) });
    const given = await scoreQuestion(model, always, QUESTION, { skipAbstained: true });
    expect(given).toMatchObject({ decision: "answer", generated_tokens: 7 });
    const none = await scoreQuestion(model, always, QUESTION, { decide: "coverage" });
    expect(none).toMatchObject({
      decision: null,
      guarantee: "No decision. The probe has no threshold of coverage.",
    });
    expect(() => createScorer(model, probeOf(model, "last-token"), { skipAbstained: true })).toThrow(
      /before-generation/,
    );
  });

  it.each<[string, Partial<Probe["source"]>, RegExp]>([
    ["weights", { weights_sha256: "0" }, /weights_sha256 "0"/],
    ["a tokenizer", { tokenizer_sha256: "0" }, /tokenizer_sha256 "0"/],
    ["an arithmetic", { dtype: "int8" }, /dtype "int8"/],
    ["a norm state", { norm_state: "final-norm" }, /norm_state "final-norm"/],
  ])("refuses %s that the probe was not fitted on", (_what, changes, message) => {
    const probe = probeOf(model, "last-token");
    const other = { ...probe, source: { ...probe.source, ...(changes as Record<string, string>) } };
    expect(() => createScorer(model, other)).toThrow(message);
  });

  it("refuses another width", () => {
    expect(() => createScorer(model, { ...probeOf(model, "last-token"), width: 6 })).toThrow(
      /states of width 3/,
    );
  });
});

describe("what the probe knows of its prompts", () => {
  const template = { kind: "template", template: { name: "t", text: "Q: {question}\nA:" } } as const;

  it("is how questions are asked", async () => {
    const terse = probeOf(model, "last-token", { asking: asking({ system_prompt: "Be terse." }) });
    const { prompt_tokens } = await scoreQuestion(model, terse, QUESTION);
    const ids = buildPrompt(model.tokenizer, QUESTION, {
      format: "notebook",
      systemPrompt: "Be terse.",
    }).tokenIds;
    expect(prompt_tokens).toBe(ids.length);
    expect(() => createScorer(model, terse, { systemPrompt: "x" })).toThrow(/records its own/);
    expect(() => createScorer(model, terse, { promptFormat: "chat" })).toThrow(/"notebook", got "chat"/);
    expect(() => createScorer(model, terse, { promptFormat: "notebook" })).not.toThrow();
  });

  it("is a hash where it is long, and the text must be the same", () => {
    const hashedOnly = probeOf(model, "last-token", {
      asking: asking({ prompt_format: describePromptFormat(template) }),
    });
    expect(() => createScorer(model, hashedOnly)).toThrow(/records only a hash/);
    expect(() => createScorer(model, hashedOnly, { promptFormat: template })).not.toThrow();
    const other = { ...template, template: { name: "t", text: "{question}?" } };
    expect(() => createScorer(model, hashedOnly, { promptFormat: other })).toThrow(/fitted on prompts of/);
  });

  it("says where a promise may not hold", () => {
    const notes = (probe: Probe, sampling: "greedy" | "study"): readonly string[] =>
      createScorer(model, probe, { sampling }).notes;
    expect(notes(probeOf(model, "last-token"), "greedy")).toEqual([
      expect.stringMatching(/temperature 0.6.*greedy/),
    ]);
    expect(notes(probeOf(model, "last-token"), "study")).toEqual([]);
    expect(notes(probeOf(model, "last-token", { asking: null }), "study")).toEqual([
      expect.stringMatching(/does not record how/),
    ]);
  });
});
