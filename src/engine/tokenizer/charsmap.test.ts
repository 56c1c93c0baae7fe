import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import golden from "../../../test/golden/deberta-tokenizer.json" with { type: "json" };
import { readCharsmap, withExactCharsmaps } from "./charsmap.ts";

const tokenizer = JSON.parse(
  readFileSync(new URL("../../../test/golden/deberta-tokenizer/tokenizer.json", import.meta.url), "utf8"),
) as { readonly normalizer: { readonly normalizers: readonly { readonly precompiled_charsmap?: string }[] } };
const table = tokenizer.normalizer.normalizers[1]?.precompiled_charsmap as string;

it("replaces as Python's tokenizers do", () => {
  const charsmap = readCharsmap(table);
  const normalize = (text: string): string => charsmap(text.trim()).replace(/ {2,}/g, " ");
  expect(golden.normalized.length).toBeGreaterThan(20);
  for (const { text, normalized } of golden.normalized) expect(normalize(text)).toBe(normalized);
});

it("keeps what joins emoji, and composes short graphemes as a whole only", () => {
  const charsmap = readCharsmap(table);
  expect(charsmap("👩‍👩‍👧")).toBe("👩‍👩‍👧");
  expect(charsmap("e\u0301")).toBe("é");
  // six bytes: looked up character by character, of which none is replaced
  expect(charsmap("e\u0301\u0323\u0300")).toBe("e\u0301\u0323\u0300");
});

it("refuses a damaged table", () => {
  for (const damaged of ["", "AAAA", Buffer.from([255, 255, 0, 0, 1]).toString("base64")])
    expect(() => readCharsmap(damaged)).toThrow(RangeError);
});

it("leaves normalisers without a table alone", () => {
  expect(withExactCharsmaps(null, null)).toBeNull();
  const lower = Object.assign((text: string) => text, { normalize: (text: string) => text.toLowerCase() });
  expect(withExactCharsmaps({ type: "Lowercase" }, lower)).toBe(lower);
});
