import { readFile } from "node:fs/promises";
import { SepError } from "../errors.ts";
import type { NamedTensor } from "../formats/encode-safetensors.ts";
import type { NpyArray } from "../formats/npy.ts";
import { decodeNpz, encodeNpz, type NpzArrays } from "../formats/npz.ts";
import { withFile } from "./file-error.ts";
import { writeSafetensors } from "./safetensors.ts";
import { writeAtomic } from "./write-atomic.ts";

export const ARRAY_FORMATS = ["npz", "safetensors"] as const;
export type ArrayFormat = (typeof ARRAY_FORMATS)[number];

const DTYPES = { f4: "F32", f8: "F64", i4: "I32", i8: "I64", u1: "U8", b1: "BOOL" } as const;

/**
 * Writes named arrays. Safetensors have no strings: arrays of strings become JSON lists in the file's metadata, under
 * their names.
 * @throws SepError `bad-artifact` as `writeNpz` and `writeSafetensors`
 */
export async function writeArrays(
  path: string,
  arrays: Readonly<Record<string, NpyArray>>,
  format: ArrayFormat,
): Promise<void> {
  if (format === "npz") return writeNpz(path, arrays);
  const tensors: NamedTensor[] = [];
  const metadata: Record<string, string> = {};
  for (const [name, array] of Object.entries(arrays)) {
    if (array.dtype === "U") metadata[name] = JSON.stringify(array.data);
    else tensors.push({ name, dtype: DTYPES[array.dtype], shape: array.shape, data: array.data });
  }
  return writeSafetensors(path, tensors, metadata);
}

/**
 * Writes arrays as `numpy.savez` does, all or nothing. `numpy.load` reads it.
 * @throws SepError `bad-artifact` as `encodeNpz`
 */
export async function writeNpz(path: string, arrays: Readonly<Record<string, NpyArray>>): Promise<void> {
  let archive: Uint8Array;
  try {
    archive = encodeNpz(arrays);
  } catch (cause) {
    throw asBadArtifact(`Cannot write ${path}`, cause);
  }
  await writeAtomic(path, archive);
}

/**
 * Reads a file of `numpy.savez` or `numpy.savez_compressed`.
 * @returns as `decodeNpz`
 * @throws SepError `bad-artifact` if the file is damaged; an array throws the same if it is, or if it has another type
 */
export async function readNpz(path: string): Promise<NpzArrays> {
  const bytes = await withFile(path, () => readFile(path));
  return decodeNpz(bytes, (cause) => asBadArtifact(`Cannot read ${path}`, cause));
}

const asBadArtifact = (what: string, cause: unknown): SepError =>
  new SepError("bad-artifact", `${what}: ${cause instanceof Error ? cause.message : cause}. Make it again.`, {
    cause,
  });
