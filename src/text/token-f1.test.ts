import fc from "fast-check";
import { expect, test } from "vitest";
import { tokenF1 } from "./token-f1.ts";

test.each([
  ["Paris", "paris", 1],
  ["The Thames", "Thames", 1], // articles do not count
  ["William Shakespeare", "Shakespeare", 2 / 3],
  ["The capital of France is Paris.", "Paris", 2 / 6], // capital of france is paris
  ["Atlantic Ocean", "Pacific Ocean", 1 / 2],
  ["Lyon", "Paris", 0],
  ["new new york", "new york york", 2 / 3], // a repeated word counts as often as it is in both
  ["", "Paris", 0],
])("%j and %j overlap by %d", (said, reference, expected) => {
  expect(tokenF1(said, reference)).toBeCloseTo(expected, 12);
});

test("is symmetric, within [0, 1], and 1 for the same words in any order", () => {
  const words = fc.array(fc.constantFrom("red", "green", "blue", "one"), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(words, words, (a, b) => {
      const f1 = tokenF1(a.join(" "), b.join(" "));
      expect(f1).toBe(tokenF1(b.join(" "), a.join(" ")));
      expect(f1).toBeGreaterThanOrEqual(0);
      expect(f1 === 1).toBe(a.toSorted().join() === b.toSorted().join());
    }),
    { seed: 1 },
  );
});
