import { readFile } from "node:fs/promises";
import { SepError } from "../errors.ts";
import { decodeNpy, encodeNpy, type NpyArray } from "../formats/npy.ts";
import { withFile } from "./file-error.ts";
import { writeAtomic } from "./write-atomic.ts";
import { encodeZip, openZip } from "./zip.ts";

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
 * @returns arrays by name; a name that is not there is undefined. Each is unpacked when it is first looked at, so that
 *   what nobody asks for costs nothing.
 * @throws SepError `bad-artefact` if the file is damaged; an array throws the same if it is, or if it has another type
 */
export async function readNpz(path: string): Promise<Readonly<Partial<Record<string, NpyArray>>>> {
  const bytes = await withFile(path, () => readFile(path));
  const explained = <Result>(work: () => Result): Result => {
    try {
      return work();
    } catch (cause) {
      throw asBadArtefact(`Cannot read ${path}`, cause);
    }
  };
  const arrays: Record<string, NpyArray> = Object.create(null);
  for (const [file, unpack] of explained(() => openZip(bytes))) {
    let array: NpyArray | null = null;
    Object.defineProperty(arrays, file.replace(/\.npy$/, ""), {
      enumerable: true,
      configurable: true, // a name may stand twice in a damaged archive: the last one counts, as in Python
      get: () => {
        array ??= explained(() => decodeNpy(unpack()));
        return array;
      },
    });
  }
  return arrays;
}

const asBadArtefact = (what: string, cause: unknown): SepError =>
  new SepError("bad-artefact", `${what}: ${cause instanceof Error ? cause.message : cause}. Make it anew.`, {
    cause,
  });
