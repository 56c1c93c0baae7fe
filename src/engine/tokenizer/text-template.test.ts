import { describe, expect, it } from "vitest";
import { readTextTemplate } from "./text-template.ts";

const read = (postProcessor: unknown): ReturnType<typeof readTextTemplate> =>
  readTextTemplate("tokenizer.json", postProcessor);

/** Types and tokens of a pair whose texts are A and B. */
const spell = ({ pair }: ReturnType<typeof readTextTemplate>): string =>
  pair.map((piece) => `${"text" in piece ? piece.text : piece.tokenIds.join("+")}:${piece.type}`).join(" ");

describe("the frame of a pair", () => {
  const cls = ["[CLS]", 101];
  const sep = ["[SEP]", 102];
  const template = {
    type: "TemplateProcessing",
    single: [{ SpecialToken: { id: "<s>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
    pair: [
      { Sequence: { id: "A", type_id: 0 } },
      { SpecialToken: { id: "<s>", type_id: 1 } },
      { Sequence: { id: "B", type_id: 1 } },
    ],
    special_tokens: { "<s>": { id: "<s>", ids: [7, 8], tokens: ["<", "s>"] } },
  };

  it.each([
    ["of a template", template, "first:0 7+8:1 second:1"],
    ["of BERT", { type: "BertProcessing", cls, sep }, "101:0 first:0 102:0 second:1 102:1"],
    ["of RoBERTa", { type: "RobertaProcessing", cls, sep }, "101:0 first:0 102:0 102:0 second:0 102:0"],
    [
      "in a sequence",
      { type: "Sequence", processors: [{ type: "ByteLevel" }, template] },
      "first:0 7+8:1 second:1",
    ],
  ])("%s", (_name, postProcessor, expected) => {
    expect(spell(read(postProcessor))).toBe(expected);
  });

  it.each([
    ["nothing", null, /post_processor is null/],
    ["one that frames nothing", { type: "ByteLevel" }, /post_processor is "ByteLevel"/],
    ["a token without ids", { ...template, special_tokens: {} }, /special token "<s>" has no ids/],
    ["a template without a pair", { ...template, pair: undefined }, /"pair" is not a list/],
    ["BERT's without its tokens", { type: "BertProcessing" }, /a token is undefined/],
  ])("is not read from %s", (_name, postProcessor, message) => {
    expect(() => read(postProcessor)).toThrow(
      expect.objectContaining({
        code: "bad-tokenizer",
        message: expect.stringMatching(message) as string,
      }) as Error,
    );
  });
});
