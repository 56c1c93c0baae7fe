import { expect, test } from "vitest";
import { listShortly, shorten, showShortly } from "./shorten.ts";

test("texts and lists from outside are shown by their beginning", () => {
  expect(shorten("short")).toBe("short");
  expect(shorten("x".repeat(100))).toBe(`${"x".repeat(80)}…`);
  expect(listShortly([])).toBe("");
  expect(listShortly(["a", "b"])).toBe("a, b");
  expect(listShortly(Array.from({ length: 60_000 }, (_, i) => `n${i}`))).toBe(
    "n0, n1, n2, n3, n4 and 59,995 more",
  );
});

test("values are shown as JSON, as far as they are shown", () => {
  expect(["a", 1.5, null, true, undefined].map((value) => showShortly(value))).toEqual([
    '"a"',
    "1.5",
    "null",
    "true",
    "undefined",
  ]);
  expect(showShortly([1, 2, 3, 4, 5, 6])).toBe("[1,2,3,4,5,…]");
  expect(showShortly({ a: [1, { b: 2 }], c: "d" })).toBe('{"a":[1,…],"c":"d"}');
  expect(showShortly("y".repeat(100), 10)).toBe('"yyyyyyyyy…');
});

test("a value that holds itself, or two of itself at every depth, is shown at once", () => {
  let twice: unknown = 1;
  for (let depth = 0; depth < 60; depth++) twice = [twice, twice];
  expect(showShortly(twice)).toBe("[[…,…],[…,…]]");
  const own: unknown[] = [];
  own.push(own);
  expect(showShortly(own)).toBe("[[…]]");
});
