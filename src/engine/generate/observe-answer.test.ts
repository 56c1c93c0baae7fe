import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadModel } from "../../checkpoint/load-model.ts";
import type { LanguageModel } from "../language-model.ts";
import { buildPrompt } from "../tokenizer/build-prompt.ts";
import { observeAnswer, observerEnds, rewriteReasoning } from "./observe-answer.ts";
import { readAnswer } from "./read-answer.ts";

let pocket: LanguageModel;
beforeAll(async () => {
  pocket = await loadModel("pocket", { threads: 1 });
});
afterAll(() => pocket[Symbol.asyncDispose]());

describe("an answer that another model wrote", () => {
  it.each([
    "Lima",
    "",
    "It is 7.\nQuestion: What is 8?",
    "<think>\n3 + 4 = 7\n</think>\n\n\\boxed{7}",
    "[THINK]3 + 4 = 7[/THINK]7",
    "3 + 4 = 7</think>7",
    "Zwölf — 十二",
  ])("has the tokens with which it is read: %j", async (written) => {
    const prompt = buildPrompt(pocket.tokenizer, "What is 3 + 4?");
    const ends = observerEnds(pocket, "auto");
    const { tokenIds, answerTokenCount, text } = observeAnswer(pocket, prompt, written, ends);
    const given = rewriteReasoning(pocket, prompt, written);
    const events = readAnswer(pocket, prompt, given, { ...ends, text: false });
    let step = await events.next();
    while (!step.done) step = await events.next();
    expect(step.value).toMatchObject({ tokenIds, answerTokenCount, text });
    expect(pocket.tokenizer.decode(tokenIds.slice(answerTokenCount))).toBe("<|im_end|>");
  });

  it("gets the think tags of the model that reads", () => {
    const closed = { opensReasoning: false };
    const rewrite = (text: string, prompt = closed): string => rewriteReasoning(pocket, prompt, text);
    expect(rewrite("[THINK]a[/THINK]b")).toBe("<think>a</think>b");
    expect(rewrite("<think>a</think>b")).toBe("<think>a</think>b");
    expect(rewrite("a</think>b")).toBe("<think>\na</think>b"); // the writer's prompt had opened it
    expect(rewrite("<thinking>a")).toBe("<think>a"); // cut off
    expect(rewrite("the tag <think> is one")).toBe("the tag <think> is one");
    const open = { opensReasoning: true };
    expect(rewrite("<think>a</think>b", open)).toBe("a</think>b");
    expect(rewrite("a</think>b", open)).toBe("a</think>b");
    expect(rewrite("b", open)).toBe("\n</think>\n\nb");
    expect(rewrite("[THINK]a[/THINK]$&", open)).toBe("a</think>$&");
  });

  it("is refused where it continues after an end token of the reader", () => {
    const read = (text: string) =>
      observeAnswer(pocket, { opensReasoning: false }, text, observerEnds(pocket, "auto"));
    expect(() => read("a<|im_end|>b")).toThrow(/continues after/);
    expect(read("a<|im_end|>")).toEqual(read("a"));
  });

  it("ends as the chat template ends a turn, not with the first end token that there is", () => {
    const [end] = pocket.endTokenIds as unknown as [number];
    const other = pocket.tokenizer.encode("q", { specialTokens: false })[0]!;
    const reader = { ...pocket, endTokenIds: new Set([other, ...pocket.endTokenIds]) };
    expect(observerEnds(reader, "chat").ending).toEqual(
      [...pocket.endTokenIds].filter((id) => id !== other).slice(0, 1),
    );
    expect(observerEnds(reader, "notebook").ending).toEqual([other]);
    expect(observerEnds({ ...pocket, endTokenIds: new Set() }, "chat").ending).toEqual([]);
    expect(end).not.toBe(other);
  });
});
