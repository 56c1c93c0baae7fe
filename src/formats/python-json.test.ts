import { expect, test } from "vitest";
import { parsePythonJson } from "./python-json.ts";

test("JSON as it is, and Python's numbers that JSON has not as null", () => {
  expect(parsePythonJson('{"a": [1, "x"]}')).toEqual({ a: [1, "x"] });
  const text = '{"a": NaN, "b": [Infinity, -Infinity, 1], "NaN": "NaN, \\"Infinity", "c": -Infinity}';
  expect(parsePythonJson(text)).toEqual({ a: null, b: [null, null, 1], NaN: 'NaN, "Infinity', c: null });
});

test.each([["{"], ["nan"], ["{'a': NaN}"], ["NaNa"], [""]])("%j is an error", (text) => {
  expect(() => parsePythonJson(text)).toThrow(SyntaxError);
});
