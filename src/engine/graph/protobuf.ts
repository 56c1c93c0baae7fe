/**
 * Encoded protobuf fields, as bytes. Only what an ONNX model needs: varints, length-delimited fields, float32.
 * @see https://protobuf.dev/programming-guides/encoding/
 */
export type EncodedField = Uint8Array;

const VARINT = 0;
const LENGTH_DELIMITED = 2;
const FIXED32 = 5;

const utf8 = new TextEncoder();

/** A varint field; negative values take ten bytes, as int64 does. */
export function varintField(field: number, value: number | bigint): EncodedField {
  return Uint8Array.from([...varint(tag(field, VARINT)), ...varint(BigInt(value))]);
}

/** A length-delimited field of raw bytes. */
export function bytesField(field: number, content: Uint8Array): EncodedField {
  return concat([
    Uint8Array.from([...varint(tag(field, LENGTH_DELIMITED)), ...varint(BigInt(content.length))]),
    content,
  ]);
}

/** A length-delimited field of UTF-8 text. */
export function textField(field: number, text: string): EncodedField {
  return bytesField(field, utf8.encode(text));
}

/** A fixed32 field that holds an IEEE float32. */
export function floatField(field: number, value: number): EncodedField {
  const encoded = new Uint8Array(5);
  encoded[0] = Number(tag(field, FIXED32)); // all our float fields have numbers < 16, so the tag is one byte
  new DataView(encoded.buffer).setFloat32(1, value, true);
  return encoded;
}

/** A nested message: its fields one after the other. */
export function messageField(field: number, fields: readonly EncodedField[]): EncodedField {
  return bytesField(field, concat(fields));
}

/** Joins encoded fields into a message's bytes. */
export function concat(fields: readonly EncodedField[]): Uint8Array {
  const whole = new Uint8Array(fields.reduce((length, field) => length + field.length, 0));
  let offset = 0;
  for (const field of fields) {
    whole.set(field, offset);
    offset += field.length;
  }
  return whole;
}

const tag = (field: number, wireType: number): bigint => BigInt((field << 3) | wireType);

function varint(value: bigint): number[] {
  let rest = BigInt.asUintN(64, value);
  const encoded: number[] = [];
  while (rest > 127n) {
    encoded.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  encoded.push(Number(rest));
  return encoded;
}
