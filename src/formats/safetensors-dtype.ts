/** Bytes an element, for every element type of the format. */
export const SAFETENSORS_DTYPE_BYTES = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  F8_E4M3: 1,
  F8_E5M2: 1,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
} as const;

export type SafetensorsDtype = keyof typeof SAFETENSORS_DTYPE_BYTES;

export const isSafetensorsDtype = (value: unknown): value is SafetensorsDtype =>
  typeof value === "string" && Object.hasOwn(SAFETENSORS_DTYPE_BYTES, value);
