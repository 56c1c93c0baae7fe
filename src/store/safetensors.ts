import { open } from "node:fs/promises";
import { SepError } from "../errors.ts";
import { METADATA_KEY, type TensorEntry } from "../formats/parse-safetensors.ts";
import { SAFETENSORS_DTYPE_BYTES, type SafetensorsDtype } from "../formats/safetensors-dtype.ts";
import { decodeTensor, encodeTensor, type TensorData } from "../formats/tensor-bytes.ts";
import { type Allocate, allocateNew } from "../math/allocate.ts";
import { withFile } from "./file-error.ts";
import { readExactly } from "./read-exactly.ts";
import { writeAtomic } from "./write-atomic.ts";

/** What a tensor is before it has its place in a file. */
export interface TensorSpec {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
}

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
 * A tensor's values as Float32, [product of shape].
 * @throws SepError `bad-artefact` for types without a Float32 reading, and integers it cannot hold exactly
 */
export async function readTensor(path: string, entry: TensorEntry): Promise<Float32Array> {
  const file = await withFile(path, () => open(path, "r"));
  try {
    return decodeTensor(await readExactly(file, entry.begin, entry.end - entry.begin), entry.dtype);
  } finally {
    await file.close();
  }
}

/**
 * Some rows (first dimension) of a tensor, in the order asked for; no other row is read. Rows that follow one
 * another in the file are read at once, and float32 straight to where they belong.
 * @param allocate gives the result its memory
 * @returns [rows.length * product of the other dimensions]
 * @throws RangeError for a row that is not there; SepError as `readTensor`
 */
export async function readTensorRows(
  path: string,
  entry: TensorEntry,
  rows: readonly number[],
  allocate: Allocate = allocateNew,
): Promise<Float32Array> {
  const [rowCount, ...rest] = entry.shape;
  if (rowCount === undefined) throw new RangeError("a tensor without dimensions has no rows");
  for (const row of rows) {
    if (!Number.isInteger(row) || row < 0 || row >= rowCount)
      throw new RangeError(`row ${row} of a tensor with ${rowCount} rows`);
  }
  const rowLength = rest.reduce((product, extent) => product * extent, 1);
  const rowBytes = rowLength * SAFETENSORS_DTYPE_BYTES[entry.dtype];
  const values = allocate(rows.length * rowLength);
  const file = await withFile(path, () => open(path, "r"));
  try {
    for (let i = 0; i < rows.length; ) {
      let next = i + 1;
      while (next < rows.length && rows[next] === (rows[i] as number) + (next - i)) next++;
      const begin = entry.begin + (rows[i] as number) * rowBytes;
      const byteLength = (next - i) * rowBytes;
      if (entry.dtype === "F32") {
        const own = Buffer.from(values.buffer, values.byteOffset + i * rowBytes, byteLength);
        await readExactly(file, begin, byteLength, own);
      } else {
        const bytes = await readExactly(file, begin, byteLength);
        values.set(decodeTensor(bytes, entry.dtype), i * rowLength);
      }
      i = next;
    }
  } finally {
    await file.close();
  }
  return values;
}

/**
 * Lays out a file without writing it, so that a caller can set its size and fill in rows at their offsets in
 * any order. Wider element types come first, so that every tensor begins at a multiple of its element size.
 * @throws SepError `bad-artefact` for a name that stands twice or is reserved, or a shape that is none
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
        "bad-artefact",
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

/**
 * Writes a whole file, all or nothing; equal tensors and metadata give equal bytes.
 * @throws SepError `bad-artefact` if values and shape do not agree, or do not fit the type; see `encodeTensor`
 */
export async function writeSafetensors(
  path: string,
  tensors: readonly NamedTensor[],
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const { header, entries, totalBytes } = layoutSafetensors(tensors, metadata);
  const content = new Uint8Array(totalBytes);
  content.set(header);
  for (const { name, dtype, data, shape } of tensors) {
    const { begin, end } = entries.get(name) as TensorEntry;
    const bytes = encodeTensor(data, dtype);
    if (bytes.length !== end - begin)
      throw new SepError(
        "bad-artefact",
        `Tensor "${name}" has ${bytes.length} bytes of values, and ${dtype} [${shape}] takes ${end - begin}.`,
      );
    content.set(bytes, begin);
  }
  await writeAtomic(path, content);
}

function sizeOf({ name, dtype, shape }: TensorSpec): number {
  const size = shape.reduce((product, extent) => product * extent, SAFETENSORS_DTYPE_BYTES[dtype]);
  if (!shape.every((extent) => Number.isSafeInteger(extent) && extent >= 0) || !Number.isSafeInteger(size))
    throw new SepError("bad-artefact", `Tensor "${name}" cannot have the shape [${shape}].`);
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
  const text = Buffer.from(json);
  const padded = Math.ceil(text.length / ALIGNMENT) * ALIGNMENT;
  const header = Buffer.alloc(8 + padded, " ");
  header.writeBigUInt64LE(BigInt(padded), 0);
  header.set(text, 8);
  return header;
}

/** The widest element; the reference implementation pads the header to it too. */
const ALIGNMENT = 8;
