import { SepError } from "../errors.ts";
import { decodeBfloat16, decodeFloat16, encodeBfloat16, encodeFloat16 } from "../math/half.ts";
import type { SafetensorsDtype } from "./safetensors.ts";

/** Values of a tensor in memory: Float32Array for every float of at most 32 bits, else the type's own array. */
export type TensorData =
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array;

/** What a tensor is before it has its place in a file. */
export interface TensorSpec {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
}

/**
 * Values as little-endian bytes of type `dtype`.
 * @throws SepError `bad-artifact` if the array is not the one for this type, or a finite value would become
 *   infinite in it
 */
export function encodeTensor(values: TensorData, dtype: SafetensorsDtype): Uint8Array {
  if (values instanceof Float32Array && (dtype === "F16" || dtype === "BF16")) {
    const halves = dtype === "F16" ? encodeFloat16(values) : encodeBfloat16(values);
    const infinity = dtype === "F16" ? 0x7c00 : 0x7f80;
    for (let i = 0; i < halves.length; i++) {
      if ((halves[i]! & 0x7fff) !== infinity || !Number.isFinite(values[i])) continue;
      throw new SepError("bad-artifact", `${values[i]} is beyond the range of ${dtype}. Store as F32.`);
    }
    return bytesOf(halves);
  }
  const expected = ARRAY_OF[dtype];
  if (expected === undefined || !(values instanceof expected))
    throw new SepError("bad-artifact", `Cannot write a ${values.constructor.name} as ${dtype}.`);
  return bytesOf(values);
}

/**
 * Little-endian bytes of type `dtype` as Float32. F64 is rounded to the nearest Float32.
 * @param bytes aligned to the element size
 * @throws SepError `bad-artifact` for 8-bit floats, and integers that a Float32 cannot hold exactly
 */
export function decodeTensor(bytes: Uint8Array, dtype: SafetensorsDtype): Float32Array {
  if (dtype === "F16") return decodeFloat16(viewAs(bytes, Uint16Array));
  if (dtype === "BF16") return decodeBfloat16(viewAs(bytes, Uint16Array));
  const ArrayType = ARRAY_OF[dtype];
  if (ArrayType === undefined)
    throw new SepError("bad-artifact", `${dtype} tensors are not read. Convert them to BF16, F16 or F32.`);
  const stored = viewAs(bytes, ArrayType);
  if (stored instanceof Float32Array) return stored;
  const values = Float32Array.from(stored as Iterable<number | bigint>, Number);
  if (!(stored instanceof Float64Array)) {
    const lost = values.findIndex((value, i) => value !== Number(stored[i]) || Math.abs(value) > 2 ** 24);
    if (lost !== -1)
      throw new SepError("bad-artifact", `${stored[lost]} (${dtype}) is not exact as Float32. Store as F64.`);
  }
  return values;
}

/** Typed arrays use the machine's byte order; Node runs on little-endian machines, as the format is. */
const ARRAY_OF: Readonly<Partial<Record<SafetensorsDtype, TypedArrayType>>> = {
  F64: Float64Array,
  F32: Float32Array,
  I64: BigInt64Array,
  I32: Int32Array,
  I16: Int16Array,
  I8: Int8Array,
  U64: BigUint64Array,
  U32: Uint32Array,
  U16: Uint16Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
};

type TypedArrayType = (new (
  buffer: ArrayBuffer,
  offset?: number,
  length?: number,
) => TensorData) & {
  readonly BYTES_PER_ELEMENT: number;
};

function viewAs<T>(
  bytes: Uint8Array,
  ArrayType: (new (
    buffer: ArrayBuffer,
    offset: number,
    length: number,
  ) => T) & {
    readonly BYTES_PER_ELEMENT: number;
  },
): T {
  const width = ArrayType.BYTES_PER_ELEMENT;
  return new ArrayType(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength / width);
}

const bytesOf = (view: ArrayBufferView): Uint8Array =>
  new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
