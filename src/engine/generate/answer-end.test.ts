import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { readGgufHeader } from "../../checkpoint/gguf/gguf-header.ts";
import { createGgufMetadata } from "../../checkpoint/gguf/gguf-metadata.ts";
import { spellGgufTokenizer } from "../../checkpoint/gguf/gguf-tokenizer.ts";
import { readGgufVocabulary } from "../../checkpoint/gguf/gguf-vocabulary.ts";
import { loadTextTokenizer } from "../../checkpoint/tokenizer/load-text-tokenizer.ts";
import { openHere } from "../../checkpoint/tokenizer/sandboxed-tokenizer.ts";
import type { TextTokenizer } from "../tokenizer/text-tokenizer.ts";
import { cutAnswer, endsInStopString } from "./answer-end.ts";

const at = (path: string): string => fileURLToPath(new URL(`../../../${path}`, import.meta.url));
const END = 765;

let pocket: TextTokenizer;
let sentencePiece: TextTokenizer;
beforeAll(async () => {
  pocket = await loadTextTokenizer(at("models/pocket"));
  const header = await readGgufHeader(at("test/golden/gguf/tokenizer-llama.gguf"));
  const metadata = createGgufMetadata("m.gguf", header.metadata);
  sentencePiece = openHere(
    spellGgufTokenizer(metadata, readGgufVocabulary(metadata, 1000), "llama"),
  ).tokenizer;
});

const encode = (text: string, tokenizer = pocket): number[] =>
  tokenizer.encode(text, { specialTokens: false });
const cut = (tokenIds: readonly number[], stopStrings: readonly string[], { decode } = pocket) =>
  cutAnswer(tokenIds, { isEndToken: (id) => id === END, stopStrings, decode });

describe("cutAnswer", () => {
  it("takes away the end token, and a stop string with all that was drawn behind it", () => {
    expect(cut([...encode("12"), END], ["\n"])).toEqual({ text: "12", answerTokenCount: 2 });
    expect(cut([...encode("12\n7 + 5"), END], ["\n"])).toEqual({ text: "12", answerTokenCount: 2 });
    expect(cut([END], [])).toEqual({ text: "", answerTokenCount: 0 });
    expect(cut(encode("12"), ["\n"])).toEqual({ text: "12", answerTokenCount: 2 });
  });

  it("stops at the first of several stop strings", () => {
    expect(cut(encode("12;\n"), ["\n", ";"])).toEqual({ text: "12", answerTokenCount: 2 });
  });

  it("counts every token of a character that is spelled over several, whole or broken", () => {
    const euro = encode("€"); // three tokens of a byte each
    const line = encode("\n");
    expect(cut([...encode("5"), ...euro, ...line], ["\n"])).toEqual({ text: "5€", answerTokenCount: 4 });
    expect(cut([...encode("5"), ...euro], ["€"])).toEqual({ text: "5", answerTokenCount: 1 });
    const broken = [...encode("5"), ...euro.slice(0, 2), ...line];
    expect(cut(broken, ["\n"])).toEqual({ text: "5\ufffd", answerTokenCount: 3 });
  });

  it("counts with a tokenizer that drops a space at the beginning", () => {
    const tokens = encode("12 34\n", sentencePiece);
    const spaced = sentencePiece.tokenId("▁") as number;
    const line = tokens.at(-1) as number;
    expect(sentencePiece.decode([line])).toBe("\n");
    expect(cut(tokens, ["\n"], sentencePiece)).toEqual({
      text: "12 34",
      answerTokenCount: tokens.length - 1,
    });
    const blank = [...tokens.slice(0, -1), spaced, line];
    expect(cut(blank, ["\n"], sentencePiece)).toEqual({ text: "12 34 ", answerTokenCount: tokens.length });
    const { decode } = sentencePiece;
    expect(endsInStopString([...encode("1", sentencePiece), spaced], { stopStrings: [" "], decode })).toBe(
      true,
    );
  });

  it("decodes a long answer a few times, not once a token", () => {
    const long = Array.from({ length: 20_000 }, (_, i) => 16 + (i % 9));
    let decoded = 0;
    const decode = (ids: readonly number[]): string => {
      decoded++;
      return ids.map((id) => pocket.decode([id])).join("");
    };
    const { answerTokenCount } = cut([...long, ...encode("\nQuestion:")], ["\nQuestion:"], {
      ...pocket,
      decode,
    });
    expect(answerTokenCount).toBe(20_000);
    expect(decoded).toBeLessThan(20); // log2 of 20,000 is 14.3
  });
});
