import fc from "fast-check";
import { expect, it } from "vitest";
import { createTextDeltas } from "./text-deltas.ts";

/** A token a byte. */
const decode = (tokenIds: readonly number[]): string =>
  new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(tokenIds));

function stream(text: string, stopStrings: readonly string[] = [], decodesPiecewise = false): string[] {
  const deltas = createTextDeltas({ decode, decodesPiecewise }, stopStrings);
  const bytes = [...new TextEncoder().encode(text)];
  const shown = bytes.slice(0, -1).map((byte) => deltas.push(byte));
  return [...shown, deltas.end(text)];
}

it("shows a character once all of its bytes are there", () => {
  expect(stream("aé€")).toEqual(["a", "", "é", "", "", "€"]);
});

it("holds back what may begin a stop string, and never shows one", () => {
  expect(stream("a\nb\n\nc", ["\n\n"])).toEqual(["a", "", "\nb", "", "", "\n\nc"]);
  const deltas = createTextDeltas({ decode }, ["END"]);
  expect([..."xEN"].map((character) => deltas.push(character.charCodeAt(0)))).toEqual(["x", "", ""]);
  expect(deltas.end("x"), "cut off before the stop string").toBe("");
});

it("is the text, joined", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary", minLength: 1 }),
      fc.array(fc.string({ minLength: 1, maxLength: 3 })),
      (text, stops) => {
        const shown = stream(text, stops);
        expect(shown.join("")).toBe(text);
        expect(stream(text, stops, true)).toEqual(shown);
      },
    ),
    { seed: 1, numRuns: 300 },
  );
});

it("decodes a token by itself where that is enough", () => {
  const decoded: number[] = [];
  const counting = (tokenIds: readonly number[]): string => {
    if (tokenIds.length > 0) decoded.push(tokenIds.length);
    return decode(tokenIds);
  };
  const deltas = createTextDeltas({ decode: counting, decodesPiecewise: true }, []);
  expect([...new TextEncoder().encode("abé")].map((byte) => deltas.push(byte))).toEqual(["a", "b", "", "é"]);
  expect(decoded).toEqual([1, 1, 1, 2]);
});
