import { expect, it } from "vitest";
import type { SampleAnswersOptions } from "../../src/engine/generate/generate.ts";
import type { SamplerSettings } from "../../src/engine/generate/sampler-settings.ts";
import { buildPrompt } from "../../src/engine/tokenizer/build-prompt.ts";
import type { AnswerBackend, AnswerSampler } from "../../src/samples/answer-backend.ts";
import { finishOpening } from "../fakes/finish-opening.ts";
import { PLAIN_SAMPLER } from "../fakes/plain-sampler.ts";

const SAMPLER: SamplerSettings = { ...PLAIN_SAMPLER, topP: 0.95 };

/**
 * What every answer backend does. Called within a `describe`.
 * @param getBackend a backend of a model small enough to sample from in a test, and that draws the same answer again
 */
export function answerBackendContract(getBackend: () => AnswerBackend): void {
  const promptOf = (question: string) => buildPrompt(getBackend().model.tokenizer, question);
  const open = (questions: readonly string[]) =>
    finishOpening(getBackend().openSampler(questions.map(promptOf)));
  const draw = async (options: Partial<SampleAnswersOptions>, question = "What is 12 + 7?") => {
    await using sampler = await open([question]);
    return await drawWith(sampler, options, question); // before it is closed
  };
  const drawWith = (
    sampler: AnswerSampler,
    {
      sampler: changed,
      ...options
    }: Omit<Partial<SampleAnswersOptions>, "sampler"> & {
      readonly sampler?: Partial<SamplerSettings>;
    },
    question: string,
  ) =>
    sampler.draw(promptOf(question), {
      runIds: [0, 1, 2],
      seed: 7,
      streamKey: question,
      ...options,
      sampler: { ...SAMPLER, ...changed },
    });

  it("says what it is", () => {
    const { name, model, identity, tokenEntropies } = getBackend();
    expect(name).toMatch(/^[a-z][a-z0-9-]*$/);
    expect(["vocabulary", "top-20"]).toContain(tokenEntropies);
    expect(model.provenance.id).not.toBe("");
    expect(model.endTokenIds.size).toBeGreaterThan(0);
    expect(JSON.parse(JSON.stringify(identity))).toEqual(identity);
  });

  it("gives one answer per run id, with a log-probability and an entropy per token", async () => {
    const { tokenEntropies, model } = getBackend();
    const answers = await draw({});
    expect(answers.map(({ runId }) => runId)).toEqual([0, 1, 2]);
    const most = Math.log(tokenEntropies === "top-20" ? 20 : model.config.vocabularySize);
    for (const { tokenIds, logprobs, entropies } of answers) {
      expect(tokenIds.length).toBeGreaterThan(0);
      expect(logprobs.length).toBe(tokenIds.length);
      expect(entropies.length).toBe(tokenIds.length);
      for (const logprob of logprobs) expect(logprob).toBeLessThanOrEqual(0);
      for (const entropy of entropies) {
        expect(entropy).toBeGreaterThanOrEqual(0);
        expect(entropy).toBeLessThanOrEqual(most + 1e-6); // float32
      }
    }
    expect(new Set(answers.map(({ text }) => text)).size, "at temperature 1 they differ").toBeGreaterThan(1);
  });

  it("ends with the end token or at the limit, and the text has no end token", async () => {
    const { endTokenIds, tokenizer } = getBackend().model;
    const whole = await draw({ sampler: { maxNewTokens: 160 } as SamplerSettings, runIds: [0, 1, 2, 3] });
    const cut = await draw({ sampler: { maxNewTokens: 3 } as SamplerSettings });
    const stopped = whole.filter(({ finishReason }) => finishReason === "stop");
    expect(stopped.length, "some answers end by themselves").toBeGreaterThan(0);
    for (const { tokenIds, text, answerTokenCount } of stopped) {
      expect(answerTokenCount).toBe(tokenIds.length - 1);
      expect(endTokenIds.has(tokenIds.at(-1) as number)).toBe(true);
      expect(text).toBe(tokenizer.decode(tokenIds.slice(0, -1)));
    }
    for (const { tokenIds, text, answerTokenCount, finishReason } of cut) {
      expect(answerTokenCount).toBe(3);
      expect(finishReason).toBe("length");
      expect(tokenIds.length).toBe(3);
      expect(text).toBe(tokenizer.decode(tokenIds));
    }
  });

  it("draws the same answer whatever is drawn with it, and another with another seed or key", async () => {
    const hot = { sampler: { temperature: 3, topP: 1, maxNewTokens: 24 } as SamplerSettings };
    const [first, second, third] = await draw(hot);
    expect(await draw({ ...hot, runIds: [1] })).toEqual([second]);
    expect(await draw({ ...hot, runIds: [2, 0] })).toEqual([third, first]);
    const texts = (answers: readonly { readonly text: string }[]) => answers.map(({ text }) => text);
    expect(texts(await draw({ ...hot, seed: 8 }))).not.toEqual(texts([first!, second!, third!]));
    expect(texts(await draw({ ...hot, streamKey: "another" }))).not.toEqual(texts([first!, second!, third!]));
  });

  it("is greedy at temperature 0", async () => {
    const answers = await draw({ sampler: { temperature: 0 } as SamplerSettings });
    expect(new Set(answers.map(({ tokenIds }) => tokenIds.join())).size).toBe(1);
  });

  it("stops at a stop string, which is not part of the text, and at a stop token, which is not either", async () => {
    const [plain] = await draw({ sampler: { temperature: 0 } as SamplerSettings, runIds: [0] });
    const { tokenizer } = getBackend().model;
    const middle = Math.floor(plain!.tokenIds.length / 2);
    const token = plain!.tokenIds[middle] as number;
    const piece = tokenizer.decode([token]);
    const [byText] = await draw({
      sampler: { temperature: 0, stopStrings: [piece] } as unknown as SamplerSettings,
      runIds: [0],
    });
    expect(byText!.finishReason).toBe("stop");
    expect(byText!.text).toBe(plain!.text.slice(0, plain!.text.indexOf(piece)));
    expect(byText!.tokenIds.length).toBeGreaterThan(byText!.answerTokenCount);
    expect(tokenizer.decode(byText!.tokenIds.slice(0, byText!.answerTokenCount))).toBe(byText!.text);
    const [byToken] = await draw({
      sampler: { temperature: 0, stopTokenIds: [token] } as unknown as SamplerSettings,
      runIds: [0],
    });
    const end = plain!.tokenIds.indexOf(token);
    expect(byToken!.tokenIds).toEqual(plain!.tokenIds.slice(0, end + 1));
    expect(byToken!.text).toBe(tokenizer.decode(plain!.tokenIds.slice(0, end)));
    expect(byToken!.answerTokenCount).toBe(end);
  });

  it("answers several questions at a time as it does one after the other", async () => {
    const questions = ["What is 1 + 1?", "What is 5 * 3?", "What is 40 - 2?"];
    await using sampler = await open(questions);
    expect(sampler.concurrency).toBeGreaterThan(0);
    const together = await Promise.all(questions.map((question) => drawWith(sampler, {}, question)));
    for (const [index, question] of questions.entries())
      expect(await drawWith(sampler, {}, question)).toEqual(together[index]);
  });

  it("refuses a prompt that leaves no room for an answer", async () => {
    await expect(draw({}, "why ".repeat(5000))).rejects.toMatchObject({ code: "prompt-too-long" });
  });

  it("stops when its signal is aborted", async () => {
    const abort = new AbortController();
    const drawing = draw({ signal: abort.signal, sampler: { maxNewTokens: 160 } as SamplerSettings });
    abort.abort(new Error("enough"));
    await expect(drawing).rejects.toThrow("enough");
  });
}
