import { decodeNpy, encodeNpy, type NpyArray } from "./npy.ts";
import { encodeZip, openZip } from "./zip.ts";

/**
 * Arrays as `numpy.savez` writes them; equal arrays give equal bytes.
 * @throws RangeError if an array's data and shape disagree, or beyond 4 GiB
 */
export const encodeNpz = (arrays: Readonly<Record<string, NpyArray>>): Uint8Array =>
  encodeZip(new Map(Object.entries(arrays).map(([name, array]) => [`${name}.npy`, encodeNpy(array)])));

/** Arrays by name; a name that is not there is undefined. */
export type NpzArrays = Readonly<Partial<Record<string, NpyArray>>>;

/**
 * What `numpy.savez` or `numpy.savez_compressed` wrote.
 * @param refuse makes the error that is thrown of what is wrong
 * @returns arrays by name. Each is unpacked when it is first looked at, so that what nobody asks for costs nothing; it
 *   throws then if it is damaged or has another type.
 */
export function decodeNpz(bytes: Uint8Array, refuse: (cause: unknown) => Error): NpzArrays {
  const explained = <Result>(work: () => Result): Result => {
    try {
      return work();
    } catch (cause) {
      throw refuse(cause);
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
