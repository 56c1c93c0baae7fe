import { open } from "node:fs/promises";
import type { SepErrorCode } from "../errors.ts";
import { encodeSafetensors, type NamedTensor } from "../formats/encode-safetensors.ts";
import {
  LENGTH_BYTES,
  locateData,
  parseSafetensorsHeader,
  refuseSafetensors,
  SAFETENSORS_DTYPE_BYTES,
  type SafetensorsHeader,
  type TensorEntry,
} from "../formats/safetensors.ts";
import { decodeTensor } from "../formats/tensor-bytes.ts";
import { type Allocate, allocateNew } from "../math/vector.ts";
import { withFile } from "./file-error.ts";
import { openRegularFile, readExactly } from "./read-file.ts";
import { writeAtomic } from "./write-atomic.ts";

/**
 * Reads and checks a safetensors header: every length, offset and shape must fit the existing
 * bytes, and the tensors must fill the file without gap or overlap, as the format requires.
 * @throws SepError with `code` (the caller knows whether the file is a checkpoint or an artifact), naming the
 *   offending value and its bound
 * @see https://huggingface.co/docs/safetensors, "Format"
 */
export async function readSafetensorsHeader(
  path: string,
  { code = "bad-artifact" }: { readonly code?: SepErrorCode } = {},
): Promise<SafetensorsHeader> {
  const fail = refuseSafetensors(path, code);
  const file = await openRegularFile(path, code);
  try {
    const { size } = await file.stat();
    const dataBegin = locateData(await readExactly(file, 0, Math.min(LENGTH_BYTES, size)), size, fail);
    const text = await readExactly(file, LENGTH_BYTES, dataBegin - LENGTH_BYTES);
    return parseSafetensorsHeader(text, dataBegin, size, fail);
  } finally {
    await file.close();
  }
}

/**
 * A tensor's values as Float32, [product of shape].
 * @throws SepError `bad-artifact` for types without a Float32 reading, and integers it cannot hold exactly
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
 * Some rows (first dimension) of a tensor, in the order asked for; no other row is read. Consecutive rows
 * of the file are read at once, and float32 directly into the result.
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
 * Writes a whole file, all or nothing; equal tensors and metadata give equal bytes.
 * @throws SepError as `encodeSafetensors`
 */
export async function writeSafetensors(
  path: string,
  tensors: readonly NamedTensor[],
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  await writeAtomic(path, encodeSafetensors(tensors, metadata));
}
