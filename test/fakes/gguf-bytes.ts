/** A metadata value with its type's number in the format; an array's items are values of one type. */
export interface FakeValue {
  readonly type: number;
  readonly bytes: Uint8Array;
}

export interface FakeTensor {
  readonly name: string;
  /** ggml's order: the fastest first. */
  readonly dimensions: readonly (number | bigint)[];
  readonly type: number;
  readonly offset: number | bigint;
}

export interface FakeGguf {
  readonly magic?: string;
  readonly version?: number;
  readonly metadata?: readonly (readonly [key: string, value: FakeValue])[];
  readonly tensors?: readonly FakeTensor[];
  readonly tensorCount?: number | bigint;
  readonly fieldCount?: number | bigint;
  readonly alignment?: number;
  /** Bytes after the header's padding. */
  readonly dataBytes?: number;
}

/** The bytes of a GGUF file, right or wrong as the test wants it. */
export function ggufBytes({
  magic = "GGUF",
  version = 3,
  metadata = [],
  tensors = [],
  tensorCount = tensors.length,
  fieldCount = metadata.length,
  alignment = 32,
  dataBytes = 0,
}: FakeGguf): Uint8Array {
  const header = Buffer.concat([
    Buffer.from(magic, "latin1"),
    uint32(version),
    uint64(tensorCount),
    uint64(fieldCount),
    ...metadata.flatMap(([key, { type, bytes }]) => [text(key), uint32(type), bytes]),
    ...tensors.flatMap(({ name, dimensions, type, offset }) => [
      text(name),
      uint32(dimensions.length),
      ...dimensions.map(uint64),
      uint32(type),
      uint64(offset),
    ]),
  ]);
  const begin = Math.ceil(header.length / alignment) * alignment;
  return Buffer.concat([header, Buffer.alloc(begin - header.length + dataBytes)]);
}

export const fakeValue = {
  uint8: (value: number): FakeValue => ({ type: 0, bytes: Uint8Array.of(value) }),
  int8: (value: number): FakeValue => ({ type: 1, bytes: Uint8Array.of(value & 0xff) }),
  uint16: (value: number): FakeValue => ({ type: 2, bytes: view(2, (v) => v.setUint16(0, value, true)) }),
  int16: (value: number): FakeValue => ({ type: 3, bytes: view(2, (v) => v.setInt16(0, value, true)) }),
  uint32: (value: number): FakeValue => ({ type: 4, bytes: uint32(value) }),
  int32: (value: number): FakeValue => ({ type: 5, bytes: view(4, (v) => v.setInt32(0, value, true)) }),
  float32: (value: number): FakeValue => ({ type: 6, bytes: view(4, (v) => v.setFloat32(0, value, true)) }),
  flag: (value: number): FakeValue => ({ type: 7, bytes: Uint8Array.of(value) }),
  text: (value: string): FakeValue => ({ type: 8, bytes: text(value) }),
  uint64: (value: bigint): FakeValue => ({ type: 10, bytes: uint64(value) }),
  int64: (value: bigint): FakeValue => ({ type: 11, bytes: view(8, (v) => v.setBigInt64(0, value, true)) }),
  float64: (value: number): FakeValue => ({ type: 12, bytes: view(8, (v) => v.setFloat64(0, value, true)) }),
  /** @param count what the array claims to hold */
  array: (type: number, items: readonly FakeValue[], count: number | bigint = items.length): FakeValue => ({
    type: 9,
    bytes: Buffer.concat([uint32(type), uint64(count), ...items.map(({ bytes }) => bytes)]),
  }),
};

const view = (size: number, write: (view: DataView) => void): Uint8Array => {
  const bytes = new Uint8Array(size);
  write(new DataView(bytes.buffer));
  return bytes;
};
const uint32 = (value: number): Uint8Array => view(4, (v) => v.setUint32(0, value, true));
const uint64 = (value: number | bigint): Uint8Array =>
  view(8, (v) => v.setBigUint64(0, BigInt.asUintN(64, BigInt(value)), true));
const text = (value: string): Uint8Array => {
  const bytes = Buffer.from(value, "utf8");
  return Buffer.concat([uint64(bytes.length), bytes]);
};
