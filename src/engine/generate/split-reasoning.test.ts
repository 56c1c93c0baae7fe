import { describe, expect, it } from "vitest";
import { findThinkTags, splitReasoning } from "./split-reasoning.ts";

const splitWhole = (
  tokenizer: Parameters<typeof splitReasoning>[0],
  tokenIds: readonly number[],
  opensReasoning = false,
) =>
  splitReasoning(tokenizer, {
    text: tokenizer.decode(tokenIds),
    tokenIds,
    answerTokenCount: tokenIds.length,
    opensReasoning,
  });

/** One token a word; the think tags are tokens of their own, or are spelled out in three pieces. */
function wordTokenizer(tags: "tokens" | "pieces") {
  const words = ["<think>", "</think>", "a", "b", "c", "<", "</", "think", ">"];
  const ids = (text: string): number[] =>
    text.split(" ").map((word) => {
      const id = words.indexOf(word);
      if (id < 0) throw new Error(`no token for ${word}`);
      return id;
    });
  return {
    ids,
    decode: (tokenIds: readonly number[]): string => tokenIds.map((id) => words[id]).join(""),
    tokenId: (token: string): number | null =>
      tags === "tokens" && words.includes(token) ? words.indexOf(token) : null,
    addedTokens: new Map(
      tags === "tokens" ? words.slice(0, 2).map((word, id) => [word, { id, special: false }]) : [],
    ),
  };
}

describe("splitReasoning", () => {
  const tokenizer = wordTokenizer("tokens");
  const split = (words: string, opensReasoning = false) => {
    const tokenIds = tokenizer.ids(words);
    return splitWhole(tokenizer, tokenIds, opensReasoning);
  };

  it("finds the span so that tokens[end] is the closing tag", () => {
    expect(split("<think> a b </think> c")).toEqual({
      status: "closed",
      span: [1, 3],
      thinkText: "ab",
      answerText: "c",
    });
  });

  it("starts at token 0 where the prompt's template opened the reasoning", () => {
    expect(split("a b </think> c", true)).toEqual({
      status: "closed",
      span: [0, 2],
      thinkText: "ab",
      answerText: "c",
    });
  });

  it("calls reasoning without an end truncated, and finds no answer in it", () => {
    expect(split("<think> a b")).toEqual({
      status: "truncated",
      span: [1, 3],
      thinkText: "ab",
      answerText: "",
    });
    expect(split("a b", true)).toMatchObject({ status: "truncated", span: [0, 2], answerText: "" });
  });

  it("takes an answer without tags as an answer", () => {
    expect(split("a b c")).toEqual({ status: "none", span: null, thinkText: "", answerText: "abc" });
  });

  it("takes what a closing token alone closes as reasoning that the prompt opened", () => {
    expect(split("a </think> b <think> c")).toEqual({
      status: "closed",
      span: [0, 1],
      thinkText: "a",
      answerText: "b<think>c",
    });
    expect(split("</think> c")).toMatchObject({ status: "closed", span: [0, 0], answerText: "c" });
  });

  it("leaves out opening tags that are repeated, at the head of the span too", () => {
    const repeated = { status: "closed", thinkText: "ab", answerText: "c" };
    expect(split("<think> <think> a <think> b </think> c")).toMatchObject({ ...repeated, span: [2, 5] });
    expect(split("<think> a b </think> c", true)).toMatchObject({ ...repeated, span: [1, 3] });
  });

  it("takes spelled-out tags for text where the tags are tokens", () => {
    expect(split("< think > a </ think >")).toMatchObject({ status: "none", answerText: "<think>a</think>" });
    expect(split("<think> a </ think > b </think> c")).toMatchObject({
      status: "closed",
      span: [1, 6],
      thinkText: "a</think>b",
      answerText: "c",
    });
  });

  it("ends at the first closing tag after the opening one", () => {
    expect(split("</think> <think> a </think> b </think> c")).toMatchObject({
      status: "closed",
      span: [2, 3],
      thinkText: "a",
    });
  });

  it("handles empty reasoning", () => {
    expect(split("<think> </think> c")).toEqual({
      status: "closed",
      span: [1, 1],
      thinkText: "",
      answerText: "c",
    });
  });

  it("finds tags that the tokenizer spells in pieces", () => {
    const pieces = wordTokenizer("pieces");
    const tokenIds = pieces.ids("< think > a b </ think > c");
    expect(splitWhole(pieces, tokenIds)).toEqual({
      status: "closed",
      span: [3, 7], // token 7 completes the closing tag
      thinkText: "ab",
      answerText: "c",
    });
  });

  it("takes a spelled-out opening tag for one at the beginning only", () => {
    const pieces = wordTokenizer("pieces");
    const split = (words: string, opensReasoning = false) =>
      splitWhole(pieces, pieces.ids(words), opensReasoning);
    expect(split("a < think > b")).toMatchObject({ status: "none", answerText: "a<think>b" });
    expect(split("a < think > b </ think > c")).toMatchObject({ status: "none" });
    expect(split("a </ think > c")).toMatchObject({ status: "none", answerText: "a</think>c" });
    expect(split("a </ think > c", true)).toMatchObject({
      status: "closed",
      span: [0, 3],
      thinkText: "a",
      answerText: "c",
    });
    expect(split("< think > < think > a")).toMatchObject({
      status: "truncated",
      span: [6, 7],
      thinkText: "a",
    });
  });

  it("uses the tags that the tokenizer has as tokens, and the common ones where it has none", () => {
    const having = (...texts: string[]) => ({
      addedTokens: new Map(texts.map((text, id) => [text, { id, special: true }])),
    });
    expect(findThinkTags(having("[THINK]", "[/THINK]"))).toEqual({ open: "[THINK]", close: "[/THINK]" });
    expect(findThinkTags(having("<think>", "</think>", "[THINK]", "[/THINK]")).open).toBe("<think>");
    expect(findThinkTags(having("[THINK]")).open, "half a pair").toBe("<think>");
    const words = ["[THINK]", "[/THINK]", "a", "<think>"];
    const magistral = {
      ...having("[THINK]", "[/THINK]"),
      tokenId: (token: string) => (words.includes(token) ? words.indexOf(token) : null),
      decode: (tokenIds: readonly number[]) => tokenIds.map((id) => words[id]).join(""),
    };
    const tokenIds = [0, 2, 3, 1, 2];
    expect(splitWhole(magistral, tokenIds)).toEqual({
      status: "closed",
      span: [1, 3],
      thinkText: "a<think>",
      answerText: "a",
    });
  });
});
