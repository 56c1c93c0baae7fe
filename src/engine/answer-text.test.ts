import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadModel } from "../checkpoint/load-model.ts";
import {
  locateSentences,
  locateSteps,
  locateTokens,
  locateUnit,
  readAnswerText,
  rememberDecoded,
} from "./answer-text.ts";
import type { LanguageModel } from "./language-model.ts";

describe("the text of an answer's tokens", () => {
  let model: LanguageModel;
  beforeAll(async () => {
    model = await loadModel("pocket", { threads: 1 });
  });
  afterAll(() => model[Symbol.asyncDispose]());
  const encode = (text: string) => model.tokenizer.encode(text, { specialTokens: false });

  it("ends each token where the text up to it does, and a byte of a character at its predecessor's end", () => {
    const text = "7+5=12 né 北京 👍\nok";
    const tokens = encode(text);
    const answer = readAnswerText(tokens, model.tokenizer.decode);
    expect(answer.text).toBe(text);
    for (const [i, end] of answer.ends.entries()) {
      const decoded = model.tokenizer.decode(tokens.slice(0, i + 1)).replace(/\uFFFD+$/, "");
      expect(end, `token ${i}`).toBe(decoded.length);
    }
    expect(answer.ends.some((end, i) => end === answer.ends[i - 1])).toBe(true);
    const [unit] = [locateUnit(answer, [text.indexOf("京"), text.indexOf("京") + 1])!];
    expect(model.tokenizer.decode(tokens.slice(0, unit.tokens[1]))).toBe("7+5=12 né 北京");
    expect(model.tokenizer.decode(tokens.slice(...unit.tokens)).trim()).toBe("京");
  });

  it("finds sentences and steps within and behind the tags, and no tag", () => {
    const text = "<think>\n7+5=12 c1\n4+8+1=13\n</think>\n\nIt is 132. \\boxed{132}";
    const tokens = encode(text);
    const close = tokens.indexOf(model.tokenizer.tokenId("</think>")!);
    const answer = readAnswerText(tokens, model.tokenizer.decode);
    const read = (units: ReturnType<typeof locateSteps>) =>
      units.map(({ tokens: span, text: [start, end] }) => [
        text.slice(start, end),
        model.tokenizer.decode(tokens.slice(span[1] - 1, span[1])),
      ]);
    expect(read(locateSteps(answer, [1, close]))).toEqual([
      ["7+5=12 c1", "1"],
      ["4+8+1=13", "3"],
    ]);
    expect(read(locateSentences(answer, [1, close]))).toEqual([
      ["7+5=12 c1", "1"],
      ["4+8+1=13", "3"],
      ["It is 132.", "."],
      ["\\boxed{132}", "}"],
    ]);
    expect(locateTokens(answer)).toHaveLength(tokens.length);
    // reasoning that was cut off goes on to the end, and an answer without reasoning is all steps
    expect(read(locateSteps(answer, [1, tokens.length])).length).toBeGreaterThan(2);
    expect(
      read(locateSteps(readAnswerText(encode("2+2=4\n4+1=5"), model.tokenizer.decode), null)),
    ).toHaveLength(2);
  });
});

describe("tokens that do not end where words do", () => {
  const WORDS = ["It", " is", " so. Th", "en", " not", ".\n\n", "</thi", "nk>\nYes", "."];
  const decode = (ids: readonly number[]): string => ids.map((id) => WORDS[id]).join("");
  const ids = [...WORDS.keys()];
  const answer = readAnswerText(ids, decode);

  it("takes the token that holds a sentence's last character, which may hold the next one's first", () => {
    const sentences = locateSentences(answer, [0, 7]);
    expect(sentences.map(({ tokens }) => tokens)).toEqual([
      [0, 3],
      [2, 6],
      [7, 9],
    ]);
    expect(sentences.map(({ text: [start, end] }) => answer.text.slice(start, end))).toEqual([
      "It is so.",
      "Then not.",
      "Yes.",
    ]);
  });

  it("refuses stretches beyond the text, and leaves out what a stop string left in the last token", () => {
    expect(locateUnit(answer, [0, answer.text.length + 1])).toBeNull();
    expect(locateUnit(answer, [3, 3])).toBeNull();
    expect(locateUnit(answer, [-1, 3])).toBeNull();
    const cut = readAnswerText(ids.slice(0, 6), decode, "It is so. Then not.");
    expect(cut.text).toBe("It is so. Then not.");
    expect(cut.ends.at(-1)).toBe(cut.text.length);
  });

  it("asks at once for what most tokens take, and once for the rest", () => {
    const asked: string[][] = [];
    const counting = {
      decode: (list: readonly number[]): string => {
        asked.push([list.join()]);
        return decode(list);
      },
      decodeEach: (lists: readonly (readonly number[])[]): string[] => {
        asked.push(lists.map((list) => list.join()));
        return lists.map(decode);
      },
    };
    const remembering = rememberDecoded(counting, [ids, [1, 1]]);
    expect(readAnswerText(ids, remembering)).toEqual(answer);
    const [first, ...later] = asked;
    expect(first).toHaveLength(ids.length + ids.length - 1 + 1);
    expect(first).toEqual([...new Set(first)]);
    expect(later.flat().toSorted()).toEqual(["", ids.join()]); // nothing at all, and the whole
    remembering([0, 8]);
    remembering([0, 8]);
    expect(asked.flat().filter((list) => list === "0,8")).toHaveLength(1);
  });

  it("asks a decoder again that changes what it has written", () => {
    const cleaning = (list: readonly number[]): string => decode(list).replace(/ is/, "'s");
    const cleaned = readAnswerText(ids, cleaning);
    expect(cleaned.text.startsWith("It's so.")).toBe(true);
    expect(cleaned.ends.slice(0, 2)).toEqual([2, 4]);
    expect(cleaned.ends.at(-1)).toBe(cleaned.text.length);
  });
});
