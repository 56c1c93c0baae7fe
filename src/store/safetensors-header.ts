import { open } from "node:fs/promises";
import { SepError, type SepErrorCode } from "../errors.ts";
import { findDuplicateKey } from "./duplicate-key.ts";
import { readExactly } from "./read-exactly.ts";
import { isSafetensorsDtype, SAFETENSORS_DTYPE_BYTES, type SafetensorsDtype } from "./safetensors-dtype.ts";

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

/**
 * Reads and checks a safetensors header: every length, offset and shape is held against the bytes that there
 * are, and the tensors must fill the file without gap or overlap, as the format asks.
 * @throws SepError with `code` (the caller knows whether the file is a checkpoint or an artefact), naming the
 *   offending value and its bound
 * @see https://huggingface.co/docs/safetensors, "Format"
 */
export async function readSafetensorsHeader(
  path: string,
  { code = "bad-artefact" }: { readonly code?: SepErrorCode } = {},
): Promise<SafetensorsHeader> {
  const fail = (reason: string, cause?: unknown): never => {
    throw new SepError(code, `${path} is not a whole safetensors file: ${reason}. Get it or make it anew.`, {
      cause,
    });
  };
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    if (size < LENGTH_BYTES)
      return fail(`${size} bytes, and the header's length alone takes ${LENGTH_BYTES}`);
    const length = (await readExactly(file, 0, LENGTH_BYTES)).readBigUInt64LE(0);
    if (length > MAX_HEADER_BYTES)
      return fail(`its header claims ${length} bytes, at most ${MAX_HEADER_BYTES}`);
    const dataBegin = LENGTH_BYTES + Number(length);
    if (dataBegin > size) return fail(`its header claims ${length} bytes of the file's ${size}`);
    const json = decodeUtf8(await readExactly(file, LENGTH_BYTES, Number(length)), fail);
    return { ...parseHeader(json, { dataBegin, fileSize: size }, fail), fileSizeBytes: size };
  } finally {
    await file.close();
  }
}

/** The reference implementation's own limit; a header holds about 100 bytes a tensor. */
const MAX_HEADER_BYTES = 100_000_000n;
const LENGTH_BYTES = 8;

type Fail = (reason: string, cause?: unknown) => never;

function parseHeader(
  json: string,
  { dataBegin, fileSize }: { readonly dataBegin: number; readonly fileSize: number },
  fail: Fail,
): Omit<SafetensorsHeader, "fileSizeBytes"> {
  const header = parseJson(json, fail);
  if (!isRecord(header)) return fail("its header is not a JSON object");
  const duplicate = findDuplicateKey(json);
  if (duplicate !== null) return fail(`its header has "${duplicate}" twice`);
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
      return fail(`"${name}" begins at byte ${begin} where the tensor before it ends at ${filled}`);
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
  fail: Fail,
): TensorEntry {
  if (!isRecord(value)) return fail(`"${name}" is not described by an object`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (!isSafetensorsDtype(dtype))
    return fail(
      `"${name}" has dtype ${JSON.stringify(dtype)}, expected one of ${Object.keys(SAFETENSORS_DTYPE_BYTES).join(" ")}`,
    );
  if (!isCounts(shape))
    return fail(`"${name}" has shape ${JSON.stringify(shape)}, expected whole numbers from 0`);
  if (!isCounts(offsets) || offsets.length !== 2)
    return fail(`"${name}" has data_offsets ${JSON.stringify(offsets)}, expected two whole numbers from 0`);
  const [begin, end] = offsets as [number, number];
  const dataSize = fileSize - dataBegin;
  if (begin > end || end > dataSize)
    return fail(`"${name}" lies at bytes ${begin} to ${end} of ${dataSize} bytes of tensors`);
  const expected = shape.reduce((product, extent) => product * extent, SAFETENSORS_DTYPE_BYTES[dtype]);
  if (end - begin !== expected)
    return fail(`"${name}" has ${end - begin} bytes, and ${dtype} [${shape}] takes ${expected}`);
  return { dtype, shape, begin: dataBegin + begin, end: dataBegin + end };
}

const isCounts = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function decodeUtf8(bytes: Uint8Array, fail: Fail): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    return fail("its header is not UTF-8", cause);
  }
}

function parseJson(json: string, fail: Fail): unknown {
  try {
    return JSON.parse(json);
  } catch (cause) {
    return fail("its header is not JSON", cause);
  }
}
