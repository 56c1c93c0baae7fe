import { SepError, type SepErrorCode } from "../errors.ts";
import { shorten, showShortly } from "../text/shorten.ts";
import { findDuplicateKey } from "./json.ts";

/** Bytes per element of every element type of the format. */
export const SAFETENSORS_DTYPE_BYTES = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  F8_E4M3: 1,
  F8_E5M2: 1,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
} as const;

export type SafetensorsDtype = keyof typeof SAFETENSORS_DTYPE_BYTES;

const isSafetensorsDtype = (value: unknown): value is SafetensorsDtype =>
  typeof value === "string" && Object.hasOwn(SAFETENSORS_DTYPE_BYTES, value);

/** Where one tensor lies in its file. */
export interface TensorEntry {
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  /** Absolute byte offsets in the file, [begin, end). */
  readonly begin: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  /** By tensor name, in the order of their bytes. */
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  readonly metadata: Readonly<Record<string, string>>;
  readonly fileSizeBytes: number;
}

/** Says why a file is none, as an error that is thrown. */
type RefuseFile = (reason: string, cause?: unknown) => never;

/** @param name of the file, for messages */
export const refuseSafetensors =
  (name: string, code: SepErrorCode = "bad-artifact"): RefuseFile =>
  (reason, cause) => {
    throw new SepError(
      code,
      `${name} is not a whole safetensors file: ${reason}. Download it again or recreate it.`,
      {
        cause,
      },
    );
  };

/**
 * The header of a whole file in memory, checked as `readSafetensorsHeader` does. Needs nothing of Node.
 * @param name of the file, for messages
 * @throws SepError `bad-artifact`
 */
export function parseSafetensors(bytes: Uint8Array, name: string): SafetensorsHeader {
  const fail = refuseSafetensors(name);
  const dataBegin = locateData(bytes, bytes.length, fail);
  return parseSafetensorsHeader(bytes.subarray(LENGTH_BYTES, dataBegin), dataBegin, bytes.length, fail);
}

/**
 * @param head the file's first bytes, at least {@link LENGTH_BYTES} unless the file is shorter
 * @returns the offset at which the header ends and the tensors begin
 */
export function locateData(head: Uint8Array, fileSize: number, fail: RefuseFile): number {
  if (fileSize < LENGTH_BYTES)
    return fail(`${fileSize} bytes, and the header's length alone takes ${LENGTH_BYTES}`);
  const length = new DataView(head.buffer, head.byteOffset, LENGTH_BYTES).getBigUint64(0, true);
  if (length > MAX_HEADER_BYTES)
    return fail(`its header claims ${length} bytes, at most ${MAX_HEADER_BYTES}`);
  const dataBegin = LENGTH_BYTES + Number(length);
  return dataBegin > fileSize
    ? fail(`its header claims ${length} bytes of the file's ${fileSize}`)
    : dataBegin;
}

/** @param text the header's bytes, without its length */
export function parseSafetensorsHeader(
  text: Uint8Array,
  dataBegin: number,
  fileSize: number,
  fail: RefuseFile,
): SafetensorsHeader {
  const json = decodeUtf8(text, fail);
  return { ...parseHeader(json, { dataBegin, fileSize }, fail), fileSizeBytes: fileSize };
}

/**
 * Room for 80,000 tensors of 100 bytes each. The reference implementation takes 100 MB, and those can be made such that
 * they fill 4 GB of memory.
 */
const MAX_HEADER_BYTES = 8_000_000n;
export const LENGTH_BYTES = 8;

function parseHeader(
  json: string,
  { dataBegin, fileSize }: { readonly dataBegin: number; readonly fileSize: number },
  fail: RefuseFile,
): Omit<SafetensorsHeader, "fileSizeBytes"> {
  const header = parseJson(json, fail);
  if (!isRecord(header)) return fail("its header is not a JSON object");
  const duplicate = findDuplicateKey(json);
  if (duplicate !== null) return fail(`its header has "${shorten(duplicate)}" twice`);
  const metadata = header[METADATA_KEY] ?? {};
  if (!isRecord(metadata) || !Object.values(metadata).every((value) => typeof value === "string"))
    return fail(`${METADATA_KEY} must map names to strings`);
  const entries = Object.entries(header)
    .filter(([name]) => name !== METADATA_KEY)
    .map(([name, value]) => [name, parseEntry(name, value, { dataBegin, fileSize }, fail)] as const)
    .sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  let filled = dataBegin;
  for (const [name, { begin, end }] of entries) {
    if (begin !== filled)
      return fail(`"${shorten(name)}" begins at byte ${begin} where the tensor before it ends at ${filled}`);
    filled = end;
  }
  if (filled !== fileSize) return fail(`its tensors end at byte ${filled} of ${fileSize}`);
  return { tensors: new Map(entries), metadata: metadata as Record<string, string> };
}

/** The one key of a header that is not a tensor. */
export const METADATA_KEY = "__metadata__";

function parseEntry(
  name: string,
  value: unknown,
  { dataBegin, fileSize }: { readonly dataBegin: number; readonly fileSize: number },
  fail: RefuseFile,
): TensorEntry {
  const shown = shorten(name);
  if (!isRecord(value)) return fail(`"${shown}" is not described by an object`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (!isSafetensorsDtype(dtype))
    return fail(
      `"${shown}" has dtype ${showShortly(dtype)}, expected one of ${Object.keys(SAFETENSORS_DTYPE_BYTES).join(" ")}`,
    );
  if (!isCounts(shape))
    return fail(`"${shown}" has shape ${showShortly(shape)}, expected whole numbers from 0`);
  if (!isCounts(offsets) || offsets.length !== 2)
    return fail(`"${shown}" has data_offsets ${showShortly(offsets)}, expected two whole numbers from 0`);
  const [begin, end] = offsets as [number, number];
  const dataSize = fileSize - dataBegin;
  if (begin > end || end > dataSize)
    return fail(`"${shown}" lies at bytes ${begin} to ${end} of ${dataSize} bytes of tensors`);
  const expected = shape.reduce((product, extent) => product * extent, SAFETENSORS_DTYPE_BYTES[dtype]);
  if (end - begin !== expected)
    return fail(`"${shown}" has ${end - begin} bytes, and ${dtype} ${showShortly(shape)} takes ${expected}`);
  return { dtype, shape, begin: dataBegin + begin, end: dataBegin + end };
}

const isCounts = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function decodeUtf8(bytes: Uint8Array, fail: RefuseFile): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    return fail("its header is not UTF-8", cause);
  }
}

function parseJson(json: string, fail: RefuseFile): unknown {
  try {
    return JSON.parse(json);
  } catch (cause) {
    return fail("its header is not JSON", cause);
  }
}
