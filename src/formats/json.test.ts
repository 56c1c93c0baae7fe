import fc from "fast-check";
import { expect, test } from "vitest";
import { findDuplicateKey, parsePythonJson } from "./json.ts";

test("JSON as it is, and Python's numbers that JSON has not as null", () => {
  expect(parsePythonJson('{"a": [1, "x"]}')).toEqual({ a: [1, "x"] });
  const text = '{"a": NaN, "b": [Infinity, -Infinity, 1], "NaN": "NaN, \\"Infinity", "c": -Infinity}';
  expect(parsePythonJson(text)).toEqual({ a: null, b: [null, null, 1], NaN: 'NaN, "Infinity', c: null });
});

test.each([["{"], ["nan"], ["{'a': NaN}"], ["NaNa"], [""]])("%j is an error", (text) => {
  expect(() => parsePythonJson(text)).toThrow(SyntaxError);
});

test.each([
  ['{"a":1,"b":{"a":2}}', null],
  ['{"a":1,"b":[{"a":2},{"a":3}], "c":"a", "d":"a:"}', null],
  ['{"a":1, "b":2, "a" :3}', "a"],
  ['{"x":{"dtype":1,"dtype":2}}', "dtype"],
  ['{"a\\"":1,"a\\u0022":2}', 'a"'],
  ['{"__proto__":1,"constructor":2}', null],
  ['["a","a"]', null],
])("%s", (json, duplicate) => {
  expect(findDuplicateKey(json)).toBe(duplicate);
});

test("whatever JSON.stringify writes has none", () => {
  fc.assert(
    fc.property(fc.json(), (json) => findDuplicateKey(JSON.stringify(JSON.parse(json))) === null),
    { seed: 1 },
  );
});
