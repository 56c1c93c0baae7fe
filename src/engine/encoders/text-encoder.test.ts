import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import golden from "../../../test/golden/deberta-tokenizer.json" with { type: "json" };
import { openTokenizer, readTokenizerFiles } from "../../checkpoint/tokenizer/load-text-tokenizer.ts";
import { readTextTemplate, type TextTemplate } from "../tokenizer/text-template.ts";
import type { TextTokenizer } from "../tokenizer/text-tokenizer.ts";
import { cutLongest, encodeTexts } from "./text-encoder.ts";

const FOLDER = fileURLToPath(new URL("../../../test/golden/deberta-tokenizer", import.meta.url));

describe("a tokenizer of DeBERTa's kind against Python's tokenizers", () => {
  let tokenizer: TextTokenizer;
  let template: TextTemplate;

  beforeAll(async () => {
    const files = await readTokenizerFiles(FOLDER);
    const opened = await openTokenizer(files);
    tokenizer = opened.tokenizer;
    template = readTextTemplate(files.path, opened.postProcessor);
  });

  it.each(golden.singles.map(({ text, ids }) => ({ text, ids })))("$text", ({ text, ids }) => {
    const [encoded] = encodeTexts({ tokenizer, template, maxTokens: 512 }, [text]);
    expect(encoded).toEqual({ tokenIds: ids, tokenTypes: ids.map(() => 0), truncated: false });
  });

  it.each(golden.pairs)("$first + $second in $max_tokens tokens", (pair) => {
    const maxTokens = pair.max_tokens;
    const [encoded] = encodeTexts({ tokenizer, template, maxTokens }, [[pair.first, pair.second]]);
    expect(encoded).toEqual({ tokenIds: pair.ids, tokenTypes: pair.types, truncated: pair.truncated });
  });

  it("cuts a text that is too long alone, within the model's own tokens", () => {
    const [whole, cut] = [512, 16].map(
      (maxTokens) => encodeTexts({ tokenizer, template, maxTokens }, ["word ".repeat(40)])[0]!,
    ) as [ReturnType<typeof encodeTexts>[0], ReturnType<typeof encodeTexts>[0]];
    expect(whole.truncated).toBe(false);
    expect(cut).toMatchObject({
      truncated: true,
      tokenIds: [...whole.tokenIds.slice(0, 15), whole.tokenIds.at(-1)],
    });
  });
});

it("cuts two texts to fit, the longer one first, and no more than needed", () => {
  const length = fc.integer({ min: 0, max: 300 });
  fc.assert(
    fc.property(length, length, length, (first, second, room) => {
      const [a, b] = cutLongest(first, second, room);
      expect(a + b).toBe(Math.min(room, first + second));
      expect(a <= first && b <= second).toBe(true);
      // what was cut is not shorter than the other one, by more than a token
      if (a < first) expect(a).toBeGreaterThanOrEqual(b - 1);
      if (b < second) expect(b).toBeGreaterThanOrEqual(a - 1);
    }),
    { seed: 1 },
  );
});
