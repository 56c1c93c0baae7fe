import fc from "fast-check";
import { expect, it } from "vitest";
import { createTextDeltas } from "./text-deltas.ts";

/** A token a byte. */
const decode = (tokenIds: readonly number[]): string => new TextDecoder().decode(Uint8Array.from(tokenIds));

function stream(text: string, stopStrings: readonly string[] = []): string[] {
  const deltas = createTextDeltas(decode, stopStrings);
  const bytes = [...new TextEncoder().encode(text)];
  const shown = bytes.slice(0, -1).map((byte) => deltas.push(byte));
  return [...shown, deltas.end(text)];
}

it("shows a character once all of its bytes are there", () => {
  expect(stream("aé€")).toEqual(["a", "", "é", "", "", "€"]);
});

it("holds back what may begin a stop string, and never shows one", () => {
  expect(stream("a\nb\n\nc", ["\n\n"])).toEqual(["a", "", "\nb", "", "", "\n\nc"]);
  const deltas = createTextDeltas(decode, ["END"]);
  expect([..."xEN"].map((character) => deltas.push(character.charCodeAt(0)))).toEqual(["x", "", ""]);
  expect(deltas.end("x"), "cut off before the stop string").toBe("");
});

it("is the text, joined", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary", minLength: 1 }),
      fc.array(fc.string({ minLength: 1, maxLength: 3 })),
      (text, stops) => {
        expect(stream(text, stops).join("")).toBe(text);
      },
    ),
    { seed: 1, numRuns: 300 },
  );
});
