import { SepError } from "../errors.ts";

/** How files begin that are taken for text by mistake, and what to do with them. */
const SIGNATURES: readonly (readonly [bytes: readonly number[], what: string])[] = [
  [[0xff, 0xfe, 0x00, 0x00], "is UTF-32. Save it as UTF-8"],
  [[0x00, 0x00, 0xfe, 0xff], "is UTF-32. Save it as UTF-8"],
  [[0xff, 0xfe], "is UTF-16. Save it as UTF-8"],
  [[0xfe, 0xff], "is UTF-16. Save it as UTF-8"],
  [[0x1f, 0x8b], "is compressed with gzip. Unpack it first"],
  [[0x28, 0xb5, 0x2f, 0xfd], "is compressed with Zstandard. Unpack it first"],
  [[0x50, 0x4b, 0x03, 0x04], "is a ZIP archive. Unpack it first"],
  [[0x50, 0x41, 0x52, 0x31], "is a Parquet table. Export it as JSONL"],
];
const NEWLINE = 0x0a;
/** A first line may be longer; that a binary file has no zero byte among so many is unlikely. */
const LOOKED_AT = 4096;

/**
 * Checks how a file begins before it is read as text: a file in another encoding would become thousands of lines that are
 * "not JSON". A byte order mark of UTF-8 is fine.
 * @param beginning a file's first bytes
 * @throws SepError `not-text`
 */
export function requireText(path: string, beginning: Uint8Array): void {
  const signature = SIGNATURES.find(([bytes]) => bytes.every((byte, at) => beginning[at] === byte));
  if (signature !== undefined) throw new SepError("not-text", `${path} ${signature[1]}.`);
  const newline = beginning.indexOf(NEWLINE);
  const line = beginning.subarray(0, Math.min(LOOKED_AT, newline === -1 ? beginning.length : newline));
  const zero = line.indexOf(0);
  if (zero === -1) return;
  // of UTF-16 without a mark, the characters of JSON have a zero byte each
  const halves = [0, 1].map((side) => line.filter((byte, at) => at % 2 === side && byte === 0).length);
  const isUtf16 = Math.max(...halves) > line.length / 4 && Math.min(...halves) === 0;
  const what = isUtf16 ? "is UTF-16. Save it as UTF-8" : `is binary: byte ${zero} is zero. Give a text file`;
  throw new SepError("not-text", `${path} ${what}.`);
}
