import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { makeRun } from "../../test/fakes/make-run.ts";
import { loadTextTokenizer } from "../checkpoint/tokenizer/load-text-tokenizer.ts";
import type { TextTokenizer } from "../engine/tokenizer/text-tokenizer.ts";
import { countAnswerTokens } from "./count-answer-tokens.ts";

const END = 765;

let pocket: TextTokenizer;
beforeAll(async () => {
  pocket = await loadTextTokenizer(fileURLToPath(new URL("../../models/pocket", import.meta.url)));
});
const encode = (text: string): number[] => pocket.encode(text, { specialTokens: false });

describe("countAnswerTokens of runs that do not say", () => {
  const count = (tokens: readonly number[], changes: Partial<Parameters<typeof countAnswerTokens>[0]> = {}) =>
    countAnswerTokens(
      { ...makeRun(), output_text: "", tokens, ...changes },
      { endTokenIds: new Set([END]), decode: pocket.decode },
    );
  const { sampler } = makeRun();

  it("goes by end tokens, and by the stop tokens and stop strings of the sampler", () => {
    expect(count([...encode("12"), END])).toBe(2);
    expect(count([...encode("12"), END], { sampler: {} })).toBe(2);
    expect(count(encode("12;"), { sampler: { ...sampler, stopTokenIds: [26] } })).toBe(2);
    const stopping = { sampler: { ...sampler, stopStrings: ["\nQuestion:"] } };
    expect(count(encode("12\nQuestion:"), stopping)).toBe(2);
    expect(count(encode("12\nQuestion"), { ...stopping, finish_reason: "length" })).toBe(
      encode("12\nQuestion").length,
    );
  });

  it("goes by the text where something else stopped them", () => {
    const tokens = encode("12;"); // a stop token that a server knew of
    expect(count(tokens, { output_text: "12" })).toBe(2);
    expect(count(tokens, { output_text: "12;" })).toBe(3);
    expect(count(tokens, { output_text: "another text" })).toBe(3);
    expect(count(tokens, { output_text: "12", finish_reason: "length" })).toBe(3);
  });

  it("is what they say where they do", () => {
    expect(count(encode("12;"), { answer_token_count: 1 })).toBe(1);
  });
});
