import { readFile } from "node:fs/promises";
import { SepError } from "../errors.ts";
import { decodeNpy, encodeNpy, type NpyArray } from "./npy.ts";
import { writeAtomic } from "./write-atomic.ts";
import { decodeZip, encodeZip } from "./zip.ts";

/**
 * Writes arrays as `numpy.savez` does, all or nothing; equal arrays give equal bytes. `numpy.load` reads it.
 * @throws SepError `bad-artefact` if an array's data and shape disagree, or beyond 4 GiB
 */
export async function writeNpz(path: string, arrays: Readonly<Record<string, NpyArray>>): Promise<void> {
  const files = new Map<string, Uint8Array>();
  let archive: Uint8Array;
  try {
    for (const [name, array] of Object.entries(arrays)) files.set(`${name}.npy`, encodeNpy(array));
    archive = encodeZip(files);
  } catch (cause) {
    throw asBadArtefact(`Cannot write ${path}`, cause);
  }
  await writeAtomic(path, archive);
}

/**
 * Reads a file of `numpy.savez` or `numpy.savez_compressed`.
 * @returns arrays by name; a name that is not there is undefined
 * @throws SepError `bad-artefact` if the file is damaged or has an array of another type
 */
export async function readNpz(path: string): Promise<Readonly<Partial<Record<string, NpyArray>>>> {
  const bytes = await readFile(path);
  try {
    const arrays: Record<string, NpyArray> = Object.create(null);
    for (const [file, content] of decodeZip(bytes)) arrays[file.replace(/\.npy$/, "")] = decodeNpy(content);
    return arrays;
  } catch (cause) {
    throw asBadArtefact(`Cannot read ${path}`, cause);
  }
}

const asBadArtefact = (what: string, cause: unknown): SepError =>
  new SepError("bad-artefact", `${what}: ${cause instanceof Error ? cause.message : cause}. Make it anew.`, {
    cause,
  });
