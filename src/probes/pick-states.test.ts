import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { probeOf } from "../../test/fakes/model-probe.ts";
import { loadModel } from "../checkpoint/load-model.ts";
import type { LanguageModel } from "../engine/language-model.ts";
import { pickStates, type TracedText } from "./pick-states.ts";
import { scoreProbe } from "./score-probe.ts";

const CHECKPOINT = fileURLToPath(new URL("../../test/golden/checkpoints/qwen3-tied", import.meta.url));

let model: LanguageModel;
let text: TracedText & { readonly answer: NonNullable<TracedText["answer"]> };
beforeAll(async () => {
  model = await loadModel(CHECKPOINT, { threads: 1 });
  const answer = { tokenIds: [9, 10, 11], text: "abc", answerTokenCount: 3 } as const;
  text = { model, prompt: { tokenIds: [5, 6, 7, 8], opensReasoning: false }, answer };
});
afterAll(() => model[Symbol.asyncDispose]());

const traceOf = ({ prompt, answer }: TracedText, options = {}) =>
  model.trace([...prompt.tokenIds, ...(answer?.tokenIds ?? [])], options);

describe("pickStates", () => {
  it("finds the place and the layers, and says where they are from", async () => {
    const probe = probeOf(model, "last-token"); // layers 1 and 2 side by side
    const trace = await traceOf(text, { layers: [0, 2, 1] });
    const states = pickStates(trace, probe, text)!;
    const { hiddenSize, residuals } = await traceOf(text, { layers: [1, 2], positions: [-1] });
    expect(states.values).toEqual(residuals);
    expect(states).toMatchObject({ position: "last-token", layer: 1, layerCount: 2, width: hiddenSize });
    expect(states.source).toMatchObject({
      weights_sha256: model.provenance.weights_sha256,
      norm_state: "residual",
    });
    expect(scoreProbe(probe, states)[0]).toBeGreaterThan(0);
  });

  it("reads the prompt alone for before-generation, and refuses its state to other probes", async () => {
    const { answer: _answer, ...prompt } = text;
    const trace = await traceOf(prompt, { positions: [-1] });
    const states = pickStates(trace, probeOf(model, "before-generation"), prompt)!;
    expect(states.position).toBe("before-generation");
    expect(() => scoreProbe(probeOf(model, "think-end"), states)).toThrow(
      /position "think-end".*"before-gen/,
    );
    expect(pickStates(trace, probeOf(model, "last-token"), prompt)).toBeNull();
  });

  it("has nothing where the answer lacks the token", async () => {
    expect(pickStates(await traceOf(text), probeOf(model, "think-end"), text)).toBeNull();
  });

  it("is never of a probe of normed states", async () => {
    const probe = probeOf(model, "last-token");
    const normed = { ...probe, source: { ...probe.source, norm_state: "final-norm" } };
    const states = pickStates(await traceOf(text), normed, text)!;
    expect(() => scoreProbe(normed, states)).toThrow(/norm_state "final-norm".*"residual"/);
  });

  it("refuses a trace of other tokens, or without the token or the layers", async () => {
    const probe = probeOf(model, "last-token");
    const refusal = (message: RegExp) =>
      expect.objectContaining({ code: "probe-mismatch", message: expect.stringMatching(message) });
    const trace = await traceOf(text);
    const other = { ...text, answer: { ...text.answer, tokenIds: [9, 10, 12] } };
    expect(() => pickStates(trace, probe, other)).toThrow(refusal(/not the 7 of prompt and answer/));
    const elsewhere = await traceOf(text, { positions: [0] });
    expect(() => pickStates(elsewhere, probe, text)).toThrow(refusal(/no state at token 6.*last-token/));
    const lower = await traceOf(text, { layers: [0, 1] });
    expect(() => pickStates(lower, probe, text)).toThrow(refusal(/has layers 0, 1, and the probe reads 2/));
    const baseline = { ...probe, position: null, layer: null };
    expect(() => pickStates(trace, baseline, text)).toThrow(refusal(/reads no hidden state/));
  });
});
