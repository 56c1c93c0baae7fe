import { SepError } from "../errors.ts";
import { LENGTH_BYTES, METADATA_KEY, SAFETENSORS_DTYPE_BYTES, type TensorEntry } from "./safetensors.ts";
import { encodeTensor, type TensorData, type TensorSpec } from "./tensor-bytes.ts";

/** A whole tensor with its values, [product of shape]. */
export interface NamedTensor extends TensorSpec {
  readonly data: TensorData;
}

/** A file as it will be: its first bytes, and where each tensor's bytes go. */
export interface SafetensorsLayout {
  /** Length, JSON and padding; written at byte 0. */
  readonly header: Uint8Array;
  readonly entries: ReadonlyMap<string, TensorEntry>;
  readonly totalBytes: number;
}

/**
 * A whole file; equal tensors and metadata give equal bytes.
 * @throws SepError `bad-artifact` if values and shape do not agree, or do not fit the type; see `encodeTensor`
 */
export function encodeSafetensors(
  tensors: readonly NamedTensor[],
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const { header, entries, totalBytes } = layoutSafetensors(tensors, metadata);
  const content = new Uint8Array(totalBytes);
  content.set(header);
  for (const { name, dtype, data, shape } of tensors) {
    const { begin, end } = entries.get(name) as TensorEntry;
    const bytes = encodeTensor(data, dtype);
    if (bytes.length !== end - begin)
      throw new SepError(
        "bad-artifact",
        `Tensor "${name}" has ${bytes.length} bytes of values, and ${dtype} [${shape}] takes ${end - begin}.`,
      );
    content.set(bytes, begin);
  }
  return content;
}

/**
 * Lays out a file without writing it, so that a caller can set its size and fill in rows at their offsets in
 * any order. Wider element types come first, so that every tensor begins at a multiple of its element size.
 * @throws SepError `bad-artifact` for a name that occurs twice or is reserved, or a shape that is none
 */
export function layoutSafetensors(
  tensors: readonly TensorSpec[],
  metadata: Readonly<Record<string, string>> = {},
): SafetensorsLayout {
  const ordered = tensors.toSorted(
    (a, b) => SAFETENSORS_DTYPE_BYTES[b.dtype] - SAFETENSORS_DTYPE_BYTES[a.dtype],
  );
  const described = new Map<string, { begin: number; end: number; spec: TensorSpec }>();
  let offset = 0;
  for (const spec of ordered) {
    if (spec.name === METADATA_KEY || described.has(spec.name))
      throw new SepError(
        "bad-artifact",
        `A safetensors file cannot have a tensor "${spec.name}" here; rename it.`,
      );
    const sizeBytes = sizeOf(spec);
    described.set(spec.name, { begin: offset, end: offset + sizeBytes, spec });
    offset += sizeBytes;
  }
  const header = encodeHeader(described, metadata);
  const entries = [...described].map(([name, { begin, end, spec }]): [string, TensorEntry] => [
    name,
    { dtype: spec.dtype, shape: spec.shape, begin: header.length + begin, end: header.length + end },
  ]);
  return { header, entries: new Map(entries), totalBytes: header.length + offset };
}

function sizeOf({ name, dtype, shape }: TensorSpec): number {
  const size = shape.reduce((product, extent) => product * extent, SAFETENSORS_DTYPE_BYTES[dtype]);
  if (!shape.every((extent) => Number.isSafeInteger(extent) && extent >= 0) || !Number.isSafeInteger(size))
    throw new SepError("bad-artifact", `Tensor "${name}" cannot have the shape [${shape}].`);
  return size;
}

function encodeHeader(
  described: ReadonlyMap<string, { begin: number; end: number; spec: TensorSpec }>,
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const sorted = Object.entries(metadata).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const fields = [...described].map(([name, { begin, end, spec }]) => [
    name,
    { dtype: spec.dtype, shape: spec.shape, data_offsets: [begin, end] },
  ]);
  const json = JSON.stringify(
    Object.fromEntries([
      ...(sorted.length > 0 ? [[METADATA_KEY, Object.fromEntries(sorted)]] : []),
      ...fields,
    ]),
  );
  const text = new TextEncoder().encode(json);
  const padded = Math.ceil(text.length / ALIGNMENT) * ALIGNMENT;
  const header = new Uint8Array(LENGTH_BYTES + padded).fill(SPACE);
  new DataView(header.buffer).setBigUint64(0, BigInt(padded), true);
  header.set(text, LENGTH_BYTES);
  return header;
}

/** The widest element; the reference implementation pads the header to it too. */
const ALIGNMENT = 8;
const SPACE = 0x20;
