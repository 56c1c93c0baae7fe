import type { NpyArray } from "../formats/npy.ts";
import { writeNpz } from "./npz.ts";
import { type NamedTensor, writeSafetensors } from "./safetensors.ts";

export const ARRAY_FORMATS = ["npz", "safetensors"] as const;
export type ArrayFormat = (typeof ARRAY_FORMATS)[number];

const DTYPES = { f4: "F32", f8: "F64", i4: "I32", i8: "I64", u1: "U8", b1: "BOOL" } as const;

/**
 * Writes named arrays. Safetensors have no strings: arrays of strings become JSON lists in the file's metadata, under
 * their names.
 * @throws SepError `bad-artefact` as `writeNpz` and `writeSafetensors`
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
