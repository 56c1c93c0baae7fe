import { NameRegistry, Parser } from "pickleparser";
import { listShortly, shorten, showShortly } from "../text/shorten.ts";

/**
 * The elements of a numpy array of Python objects: strings, or integers of 32 bits. They are stored as a pickle, of which
 * only what numpy itself writes is read, and nothing is ever called.
 * @param shape of the array's header
 * @throws RangeError for other objects, or a pickle that is none of an array of this shape
 */
export function decodeObjects(
  pickle: Uint8Array,
  shape: readonly number[],
):
  | { readonly dtype: "U"; readonly shape: readonly number[]; readonly data: readonly string[] }
  | { readonly dtype: "i8"; readonly shape: readonly number[]; readonly data: BigInt64Array } {
  const count = shape.reduce((product, extent) => product * extent, 1);
  const elements = readElements(pickle);
  if (elements.length !== count)
    throw new RangeError(
      `shape [${listShortly(shape.map(String))}] takes ${count} objects, the pickle has ${elements.length}`,
    );
  if (elements.every((value) => typeof value === "string"))
    return { dtype: "U", shape, data: elements as string[] };
  const odd = elements.find((value) => !Number.isInteger(value) || Math.abs(value as number) > MOST);
  if (odd === undefined)
    return { dtype: "i8", shape, data: BigInt64Array.from(elements as number[], BigInt) };
  throw new RangeError(
    `an array of objects holds ${showShortly(odd)}, expected strings only, or integers of 32 bits only`,
  );
}

/** The parser reads longer negative integers wrongly; ids have no need of them. */
const MOST = 2 ** 31;

/** An object that is unpickled: what made it, and its state. */
class Pickled {
  readonly kind: string;
  readonly args: readonly unknown[];
  state: readonly unknown[] = [];
  constructor(kind: string, args: readonly unknown[]) {
    this.kind = kind;
    this.args = args;
  }
  __setstate__(state: readonly unknown[]): void {
    this.state = state;
  }
  __setnewstate__(state: readonly unknown[]): void {
    this.state = state;
  }
}

function readElements(pickle: Uint8Array): readonly unknown[] {
  const names = new NameRegistry();
  const make =
    (kind: string) =>
    (...args: unknown[]): Pickled =>
      new Pickled(kind, args);
  for (const module of ["numpy.core.multiarray", "numpy._core.multiarray"]) {
    names.register(module, "_reconstruct", make("array"));
    names.register(module, "scalar", (dtype: Pickled, bytes: Uint8Array) => readScalar(dtype, bytes));
  }
  names.register("numpy", "ndarray", make("ndarray"));
  names.register("numpy", "dtype", make("dtype"));
  names.onMissingName = (module, name) => {
    throw new RangeError(
      `an array of objects holds a Python ${shorten(`${module}.${name}`)}, expected strings or integers`,
    );
  };
  let array: unknown;
  try {
    array = new Parser({ nameResolver: names }).parse(pickle);
  } catch (cause) {
    throw cause instanceof RangeError
      ? cause
      : new RangeError(`an array of objects is damaged: ${shorten(String(cause))}`);
  }
  // (version, shape, dtype, is Fortran, elements)
  const elements = array instanceof Pickled && array.kind === "array" ? array.state[4] : null;
  if (!Array.isArray(elements)) throw new RangeError("an array of objects is not the pickle of an array");
  return elements;
}

/** A numpy integer among Python's objects. */
function readScalar(dtype: Pickled, bytes: Uint8Array): number {
  const type = String(dtype.args[0]);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (type === "i8") return Number(view.getBigInt64(0, true));
  if (type === "i4") return view.getInt32(0, true);
  throw new RangeError(`an array of objects holds a numpy ${shorten(type)}, expected strings or integers`);
}
