import { SepError } from "../../errors.ts";
import { openRegularFile, readExactly } from "../../store/read-file.ts";
import { GGML_TYPES, type GgmlType, OTHER_GGML_TYPES } from "./dequantize.ts";
import {
  createGgufCursor,
  type GgufCursor,
  type GgufFail,
  type GgufValue,
  readGgufValue,
} from "./gguf-metadata.ts";

/** Where a tensor lies, and how it is packed. */
export interface GgufTensor {
  readonly name: string;
  readonly type: GgmlType;
  /** Slowest dimension first, as in safetensors; ggml names them the other way round. */
  readonly shape: readonly number[];
  /** From the file's start. */
  readonly byteOffset: number;
  readonly byteLength: number;
}

export interface GgufHeader {
  readonly path: string;
  /** Modification time, ms: detects a file that changes while it is read. */
  readonly modifiedMs: number;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
}

/**
 * Reads and checks the header of a GGUF file, versions 2 and 3, little-endian.
 *
 * Why not `@huggingface/gguf` (0.4.6): it also fetches from the network, brings 6 MB with it, silently truncates a
 * string at the end of the file, keeps the last of two equal keys, reads any byte as a boolean, and does not check the
 * tensors' offsets against the file.
 * @throws SepError `bad-checkpoint` naming the offending value and its bound, `unsupported-model` for tensors of a
 *   type that is not implemented and for one part of a split file
 * @see https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 */
export async function readGgufHeader(path: string): Promise<GgufHeader> {
  const file = await openRegularFile(path, "bad-checkpoint");
  try {
    const { size, mtimeMs } = await file.stat();
    const bytes = await readExactly(file, 0, Math.min(size, MAX_HEADER_BYTES));
    return { ...parseGgufHeader(bytes, size, path), modifiedMs: mtimeMs };
  } finally {
    await file.close();
  }
}

/**
 * {@link readGgufHeader} on bytes in memory.
 * @param bytes the file's first bytes, as many as a header may take
 * @param fileSizeBytes of the whole file
 * @param path named in errors
 */
export function parseGgufHeader(
  bytes: Uint8Array,
  fileSizeBytes: number,
  path: string,
): Omit<GgufHeader, "modifiedMs"> {
  const fail: GgufFail = (reason) => {
    throw new SepError(
      "bad-checkpoint",
      `${path} is not a whole GGUF file: ${reason}. Download it again or recreate it.`,
    );
  };
  const cursor = createGgufCursor(bytes, fileSizeBytes, fail);
  readVersion(cursor, fail);
  const tensorCount = cursor.count("the number of tensors", {
    itemBytes: LEAST_TENSOR_BYTES,
    most: MAX_TENSORS,
  });
  const fieldCount = cursor.count("the number of metadata fields", {
    itemBytes: LEAST_FIELD_BYTES,
    most: MAX_FIELDS,
  });
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < fieldCount; i++) {
    const key = cursor.text("a metadata key", MAX_NAME_BYTES);
    if (metadata.has(key)) fail(`its metadata has "${key}" twice`);
    metadata.set(key, readGgufValue(cursor, key, fail));
  }
  refusePart(metadata, path);
  const described = Array.from({ length: tensorCount }, () => readTensor(cursor, fail, path));
  const alignment = readAlignment(metadata, fail);
  const begin = Math.ceil(cursor.offset / alignment) * alignment;
  const tensors = described.map((tensor) => placeTensor(tensor, { begin, alignment, fileSizeBytes }, fail));
  return { path, metadata, tensors: indexTensors(tensors, fail) };
}

/** Headers of models with 260,000 tokens and their merges take some 15 MiB. */
const MAX_HEADER_BYTES = 64 << 20;
const MAX_TENSORS = 1 << 20;
const MAX_FIELDS = 1 << 16;
/** Length of the name, dimension count, one dimension, type and offset. */
const LEAST_TENSOR_BYTES = 8 + 4 + 8 + 4 + 8;
/** Length of the key, type, and the smallest value. */
const LEAST_FIELD_BYTES = 8 + 4 + 1;
/** The format allows longer keys, but real ones have fewer than 100 bytes, and they are shown in messages. */
const MAX_NAME_BYTES = 1024;
/** ggml's own limit. */
const MAX_DIMENSIONS = 4;
/** "GGUF" */
const MAGIC = 0x46554747;
const DEFAULT_ALIGNMENT = 32;

function readVersion(cursor: GgufCursor, fail: GgufFail): void {
  const magic = cursor.uint32("its first word");
  if (magic !== MAGIC) fail(`it begins with 0x${magic.toString(16)}, and "GGUF" is 0x${MAGIC.toString(16)}`);
  const version = cursor.uint32("its version");
  if ((version & 0xffff) === 0) fail("its numbers are big-endian, and only little-endian files are read");
  if (version !== 2 && version !== 3) fail(`it has version ${version}, and versions 2 and 3 are read`);
}

function readAlignment(metadata: ReadonlyMap<string, GgufValue>, fail: GgufFail): number {
  const alignment = metadata.get("general.alignment") ?? DEFAULT_ALIGNMENT;
  if (typeof alignment === "number" && Number.isInteger(Math.log2(alignment)) && alignment >= 1)
    return alignment;
  return fail(`"general.alignment" is ${String(alignment).slice(0, 40)}, expected a power of two`);
}

type Unplaced = Pick<GgufTensor, "name" | "type" | "shape"> & { readonly relativeOffset: bigint };

function readTensor(cursor: GgufCursor, fail: GgufFail, path: string): Unplaced {
  const name = cursor.text("a tensor's name", MAX_NAME_BYTES);
  const dimensions = cursor.uint32(`the number of dimensions of "${name}"`);
  if (dimensions < 1 || dimensions > MAX_DIMENSIONS)
    fail(`tensor "${name}" has ${dimensions} dimensions, expected 1 to ${MAX_DIMENSIONS}`);
  const shape = Array.from({ length: dimensions }, () => {
    const extent = cursor.uint64(`a dimension of "${name}"`);
    return extent >= 1n && extent <= Number.MAX_SAFE_INTEGER
      ? Number(extent)
      : fail(`tensor "${name}" has a dimension of ${extent}, expected 1 to ${Number.MAX_SAFE_INTEGER}`);
  }).reverse();
  const number = cursor.uint32(`the type of "${name}"`);
  const type = GGML_TYPES[number];
  if (type === undefined) {
    const other = OTHER_GGML_TYPES[number];
    if (other === undefined) return fail(`tensor "${name}" has the unknown type ${number}`);
    const known = Object.values(GGML_TYPES).map((each) => each.name);
    throw new SepError(
      "unsupported-model",
      `${path}: tensor "${name}" is ${other}, and ${known.join(", ")} are implemented. Use a version of the model with one of these types.`,
    );
  }
  return { name, type, shape, relativeOffset: cursor.uint64(`the offset of "${name}"`) };
}

function placeTensor(
  { name, type, shape, relativeOffset }: Unplaced,
  bounds: { readonly begin: number; readonly alignment: number; readonly fileSizeBytes: number },
  fail: GgufFail,
): GgufTensor {
  const { begin, alignment, fileSizeBytes } = bounds;
  const rowLength = shape.at(-1) as number;
  if (rowLength % type.blockSize !== 0)
    fail(
      `tensor "${name}" has rows of ${rowLength} values, and ${type.name} packs ${type.blockSize} together`,
    );
  const values = shape.reduce((product, extent) => product * extent, 1);
  const byteLength = (values / type.blockSize) * type.blockBytes;
  if (relativeOffset % BigInt(alignment) !== 0n)
    fail(`tensor "${name}" lies at ${relativeOffset}, which is not a multiple of the alignment ${alignment}`);
  const room = fileSizeBytes - begin;
  // as doubles: inexact beyond 2^53, which is far larger than any file
  if (!(Number(relativeOffset) + byteLength <= room))
    fail(
      `tensor "${name}", ${type.name} [${shape}], takes ${byteLength} bytes from ${relativeOffset} on, and the file has ${Math.max(0, room)} bytes of tensors`,
    );
  return { name, type, shape, byteOffset: begin + Number(relativeOffset), byteLength };
}

function indexTensors(tensors: readonly GgufTensor[], fail: GgufFail): ReadonlyMap<string, GgufTensor> {
  const inOrder = tensors.toSorted((a, b) => a.byteOffset - b.byteOffset);
  inOrder.forEach((tensor, i) => {
    const before = inOrder[i - 1];
    if (before !== undefined && before.byteOffset + before.byteLength > tensor.byteOffset)
      fail(`tensor "${tensor.name}" begins at byte ${tensor.byteOffset}, inside of "${before.name}"`);
  });
  const index = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  if (index.size !== tensors.length) fail("two of its tensors have the same name");
  return index;
}

function refusePart(metadata: ReadonlyMap<string, GgufValue>, path: string): void {
  const parts = metadata.get("split.count");
  if (typeof parts !== "number" || parts <= 1) return;
  throw new SepError(
    "unsupported-model",
    `${path} is one of ${parts} parts of a model, and only whole files are read. Join them with \`llama-gguf-split --merge\`.`,
  );
}
