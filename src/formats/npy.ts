import { decodeFloat16 } from "../math/half.ts";
import { listShortly, shorten } from "../text/shorten.ts";
import { decodeObjects } from "./npy-objects.ts";

/** One numpy array in C order; the data's length is the product of the shape. */
export type NpyArray =
  | { readonly dtype: "f4"; readonly shape: readonly number[]; readonly data: Float32Array }
  | { readonly dtype: "f8"; readonly shape: readonly number[]; readonly data: Float64Array }
  | { readonly dtype: "i4"; readonly shape: readonly number[]; readonly data: Int32Array }
  | { readonly dtype: "i8"; readonly shape: readonly number[]; readonly data: BigInt64Array }
  /** `b1`: numpy's bool, 0 or 1 an element. */
  | { readonly dtype: "u1" | "b1"; readonly shape: readonly number[]; readonly data: Uint8Array }
  /** numpy's `<U..`: strings without trailing NUL characters. */
  | { readonly dtype: "U"; readonly shape: readonly number[]; readonly data: readonly string[] };

/**
 * The numbers of an array whatever their type, e.g. labels that Python wrote as int64 and we as uint8.
 * @throws TypeError for strings; RangeError for integers beyond 2^53
 */
export function npyNumbers(array: NpyArray): Float64Array {
  if (array.dtype === "U") throw new TypeError("expected an array of numbers, got one of strings");
  if (array.dtype !== "i8") return Float64Array.from(array.data);
  return Float64Array.from(array.data as Iterable<unknown> as Iterable<number>, (value) => {
    const number = Number(value);
    if (!Number.isSafeInteger(number)) throw new RangeError(`${value} is beyond 2^53`);
    return number;
  });
}

/**
 * An array as NPY bytes, version 1.0.
 * @throws RangeError if data and shape disagree, or a string ends with NUL, which numpy would drop
 * @see https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */
export function encodeNpy(array: NpyArray): Uint8Array {
  const { shape } = array;
  const count = shape.reduce((product, extent) => product * extent, 1);
  if (array.data.length !== count)
    throw new RangeError(`shape [${shape}] takes ${count} elements, got ${array.data.length}`);
  const { descr, bytes } = encodeElements(array);
  const tuple = `(${shape.join(", ")}${shape.length === 1 ? "," : ""})`;
  const header = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const prefixBytes = 10;
  const padding = ALIGNMENT - ((prefixBytes + header.length + 1) % ALIGNMENT);
  const padded = `${header}${" ".repeat(padding % ALIGNMENT)}\n`;
  const file = new Uint8Array(prefixBytes + padded.length + bytes.length);
  file.set([...MAGIC, 1, 0]);
  new DataView(file.buffer).setUint16(8, padded.length, true);
  file.set(new TextEncoder().encode(padded), prefixBytes);
  file.set(bytes, prefixBytes + padded.length);
  return file;
}

/**
 * Reads NPY bytes of versions 1 to 3; an array in Fortran order is brought into C order, half floats become float32,
 * and objects strings or integers.
 * @throws RangeError for what is damaged, or of another element type
 */
export function decodeNpy(file: Uint8Array): NpyArray {
  if (file.length < 12 || MAGIC.some((byte, i) => file[i] !== byte)) throw new RangeError("not an NPY array");
  const version = file[6] as number;
  if (version < 1 || version > 3) throw new RangeError(`NPY version ${version}, expected 1 to 3`);
  const prefixBytes = version === 1 ? 10 : 12;
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const headerLength = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (headerLength > MOST_HEADER_BYTES)
    throw new RangeError(`the NPY header has ${headerLength} bytes, at most ${MOST_HEADER_BYTES} are read`);
  const header = new TextDecoder().decode(file.subarray(prefixBytes, prefixBytes + headerLength));
  const descr = /'descr':\s*'([^']*)'/.exec(header)?.[1];
  const order = /'fortran_order':\s*(True|False)/.exec(header)?.[1];
  const extents = /'shape':\s*\(([\d,\sL]*)\)/.exec(header)?.[1];
  if (descr === undefined || order === undefined || extents === undefined)
    throw new RangeError(`NPY header ${shorten(header.trim())} has no plain descr, fortran_order and shape`);
  const shape = (extents.match(/\d+/g) ?? []).map(Number);
  const count = shape.reduce((product, extent) => product * extent, 1);
  const array = decodeElements(descr, shape, aligned(file.subarray(prefixBytes + headerLength)), count);
  return order === "True" && shape.length > 1 ? toCOrder(array) : array;
}

/** numpy's own limit, `max_header_size` of `numpy.load`: a header takes a hundred bytes. */
const MOST_HEADER_BYTES = 10_000;
const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]; // \x93NUMPY
/** numpy pads its headers so that the data begins at a multiple of this. */
const ALIGNMENT = 64;

function encodeElements(array: NpyArray): { readonly descr: string; readonly bytes: Uint8Array } {
  if (array.dtype !== "U") {
    const { buffer, byteOffset, byteLength } = array.data;
    const byteOrder = array.data.BYTES_PER_ELEMENT === 1 ? "|" : "<";
    return { descr: `${byteOrder}${array.dtype}`, bytes: new Uint8Array(buffer, byteOffset, byteLength) };
  }
  const points = array.data.map((text) => Array.from(text, (char) => char.codePointAt(0) as number));
  if (points.some((codes) => codes.at(-1) === 0)) throw new RangeError("a string ends with a NUL character");
  const width = points.reduce((widest, codes) => Math.max(widest, codes.length), 1);
  const cells = new Uint32Array(points.length * width);
  points.forEach((codes, i) => void cells.set(codes, i * width));
  return { descr: `<U${width}`, bytes: new Uint8Array(cells.buffer) };
}

/** The same bytes where typed arrays can lie over them, else a copy. */
const aligned = (bytes: Uint8Array): Uint8Array =>
  bytes.byteOffset % BigInt64Array.BYTES_PER_ELEMENT === 0 ? bytes : new Uint8Array(bytes);

function decodeElements(descr: string, shape: readonly number[], bytes: Uint8Array, count: number): NpyArray {
  if (descr === "|O") return decodeObjects(bytes, shape);
  // strings of no characters take no bytes: any number of them would fit a file
  if (!/^(?:<f[248]|<i[48]|\|u1|\|b1|<U[1-9]\d*)$/.test(descr))
    throw new RangeError(
      `numpy type ${shorten(descr)} is not read, only <f2 <f4 <f8 <i4 <i8 |u1 |b1 <U and |O`,
    );
  const width = Number(descr.slice(2));
  const sizeBytes = count * width * (descr.startsWith("<U") ? 4 : 1);
  if (bytes.byteLength !== sizeBytes)
    throw new RangeError(
      `${shorten(descr)} [${listShortly(shape.map(String))}] takes ${sizeBytes} bytes, got ${bytes.byteLength}`,
    );
  const elements = sizeBytes / (descr.startsWith("<U") ? 4 : width);
  const over = <T>(Elements: new (buffer: ArrayBufferLike, byteOffset: number, length: number) => T): T =>
    new Elements(bytes.buffer, bytes.byteOffset, elements);
  switch (descr) {
    case "<f2":
      return { dtype: "f4", shape, data: decodeFloat16(over(Uint16Array)) };
    case "<f4":
      return { dtype: "f4", shape, data: over(Float32Array) };
    case "<f8":
      return { dtype: "f8", shape, data: over(Float64Array) };
    case "<i4":
      return { dtype: "i4", shape, data: over(Int32Array) };
    case "<i8":
      return { dtype: "i8", shape, data: over(BigInt64Array) };
    case "|u1":
      return { dtype: "u1", shape, data: over(Uint8Array) };
    case "|b1":
      return { dtype: "b1", shape, data: over(Uint8Array) };
  }
  const cells = over(Uint32Array);
  const texts = Array.from({ length: count }, (_, i) => {
    const codes = cells.subarray(i * width, (i + 1) * width);
    const length = codes.findLastIndex((code) => code !== 0) + 1;
    return Array.from(codes.subarray(0, length), (code) => String.fromCodePoint(code)).join("");
  });
  return { dtype: "U", shape, data: texts };
}

function toCOrder(array: NpyArray): NpyArray {
  const { shape } = array;
  const source = array.data;
  const target = (array.dtype === "U" ? [...array.data] : array.data.slice()) as unknown[];
  const index = shape.map(() => 0);
  for (let i = 0; i < source.length; i++) {
    let at = 0;
    for (let d = shape.length - 1; d >= 0; d--) at = at * (shape[d] as number) + (index[d] as number);
    target[i] = source[at];
    for (let d = shape.length - 1; d >= 0; d--) {
      index[d] = (index[d] as number) + 1;
      if (index[d] !== shape[d]) break;
      index[d] = 0;
    }
  }
  return { ...array, data: target } as unknown as NpyArray;
}
