import { expect, test } from "vitest";
import { decodeObjects } from "./npy-objects.ts";

const pickle = (text: string): Uint8Array => Buffer.from(text, "latin1");

test("nothing but what numpy writes is read, and nothing is called", () => {
  // pickle.dumps(os.system), and a call of it with "true": cos\nsystem\n(S'true'\ntR.
  expect(() => decodeObjects(pickle("cposix\nsystem\n."), [1])).toThrow(/a Python posix\.system/);
  expect(() => decodeObjects(pickle("cposix\nsystem\n(S'true'\ntR."), [1])).toThrow(/a Python posix\.system/);
  expect(() => decodeObjects(pickle("(S'a'\nS'b'\nl."), [2])).toThrow(/not the pickle of an array/);
  expect(() => decodeObjects(pickle("\x80\x04\x95"), [1])).toThrow(RangeError);
});

/** An array of objects as numpy pickles it, in protocol 0: the elements are pickled already. */
const arrayOf = (count: number, elements: string): Uint8Array =>
  pickle(
    `cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I${count}\ntcnumpy\ndtype\n(S'O8'\nI0\nI1\ntRI00\n(${elements}ltb.`,
  );

test("strings, and integers of 32 bits", () => {
  expect(decodeObjects(arrayOf(2, "S'q1'\nS''\n"), [2])).toEqual({
    dtype: "U",
    shape: [2],
    data: ["q1", ""],
  });
  expect(decodeObjects(arrayOf(2, "I-3\nI70000\n"), [2])).toEqual({
    dtype: "i8",
    shape: [2],
    data: BigInt64Array.of(-3n, 70000n),
  });
});

test.each([
  ["S'a'\nI1\n", /holds "a", expected strings only/],
  ["NI1\n", /holds null/],
  ["F0.5\nI1\n", /holds 0\.5/],
  ["I5000000000\nI1\n", /holds 5000000000/],
])("%j is refused", (elements, message) => {
  expect(() => decodeObjects(arrayOf(2, elements), [2])).toThrow(message);
});

test("as many elements as the header says", () => {
  expect(() => decodeObjects(arrayOf(2, "I1\nI2\n"), [3])).toThrow(/takes 3 objects, the pickle has 2/);
});
