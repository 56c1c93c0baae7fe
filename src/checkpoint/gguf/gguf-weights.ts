import { type FileHandle, open } from "node:fs/promises";
import type { StoredWeight, WeightIndex } from "../../engine/graph/weights.ts";
import { SepError } from "../../errors.ts";
import type { TensorEntry } from "../../formats/safetensors.ts";
import { readExactly } from "../../store/read-file.ts";
import { writeExactly } from "../../store/write-atomic.ts";
import { openDerivedWeights } from "../derived-weights.ts";
import { fileSource } from "../weight-index.ts";
import { createDequantizer, type Dequantize, type GgmlTypeName } from "./dequantize.ts";
import type { GgufHeader } from "./gguf-header.ts";
import type { PlannedWeight } from "./weight-plan.ts";

interface OpenGgufWeightsOptions {
  /** SHA-256 of the whole GGUF file, asked for only when something has to be converted. */
  readonly fingerprint: () => Promise<string>;
}

/**
 * Where the bytes of each weight are. Weights that a graph can use unchanged stay in the GGUF file. The others are
 * converted once, into a safetensors file in the cache that is named by the hash of the GGUF file, so that a changed
 * file is never mistaken for the old one.
 * @throws SepError `bad-checkpoint` when the GGUF file changes meanwhile, `disk-full`
 */
export async function openGgufWeights(
  { path, modifiedMs }: GgufHeader,
  plan: readonly PlannedWeight[],
  { fingerprint }: OpenGgufWeightsOptions,
): Promise<WeightIndex> {
  const needsConversion = ({ tensor, layout }: PlannedWeight): boolean =>
    layout.kind !== "same" || storedDtype(tensor.type.name) !== tensor.type.name;
  const converts = plan.some(needsConversion);
  const converted = plan.filter(
    (weight) => needsConversion(weight) || (converts && weight.tensor.byteLength <= SMALL_BYTES),
  );
  const source = fileSource(path);
  const index = new Map<string, StoredWeight>(
    plan.map(({ name, shape, tensor: { type, byteOffset, byteLength } }) => [
      name,
      { dtype: type.name, shape, source, byteOffset, byteLength },
    ]),
  );
  if (!converts) return index;
  const derived = await openDerivedWeights({
    kind: CONVERSION,
    key: await fingerprint(),
    tensors: converted.map(({ name, shape, tensor }) => ({
      name,
      dtype: storedDtype(tensor.type.name),
      shape,
    })),
    write: (file, entries) => writeConverted(file, entries, { path, modifiedMs, weights: converted }),
  });
  return new Map([...index, ...derived]);
}

/** Changed with the conversion, so that files of an older version are not used. */
const CONVERSION = "gguf-v1";
/**
 * Norms and biases are copied beside converted matrices, so that a packed model needs only the converted file, and
 * no graph folder on another file system has to copy the GGUF file for their sake.
 */
const SMALL_BYTES = 1 << 20;

async function writeConverted(
  file: FileHandle,
  entries: ReadonlyMap<string, TensorEntry>,
  {
    path,
    modifiedMs,
    weights,
  }: { readonly path: string; readonly modifiedMs: number; readonly weights: readonly PlannedWeight[] },
): Promise<void> {
  const source = await open(path, "r");
  try {
    const convert = createWeightConverter(source);
    for (const weight of weights) {
      let position = entries.get(weight.name)?.begin as number;
      for await (const bytes of convert(weight)) {
        await writeExactly(file, bytes, position);
        position += bytes.length;
      }
    }
    if ((await source.stat()).mtimeMs !== modifiedMs)
      throw new SepError("bad-checkpoint", `${path} changed while it was read. Start again.`);
  } finally {
    await source.close();
  }
}

/** The dtype of a converted tensor: half precision stays, all else becomes float32. */
const storedDtype = (type: GgmlTypeName): "F32" | "F16" | "BF16" =>
  type === "F16" || type === "BF16" ? type : "F32";

/**
 * Reads weights out of a GGUF file in Hugging Face's layout, a few megabytes at a time. Only a tensor that has to be
 * transposed is held in memory whole.
 * @param source the GGUF file
 * @returns a function that yields one weight's bytes, in the order of its elements, as its {@link storedDtype}
 */
function createWeightConverter(source: FileHandle): (weight: PlannedWeight) => AsyncGenerator<Uint8Array> {
  const dequantize = createDequantizer();
  return (weight) => convert(source, dequantize, weight);
}

/** Limits the memory of a conversion; large enough to make the cost of the calls negligible. */
const CHUNK_VALUES = 1 << 20;

async function* convert(
  source: FileHandle,
  dequantize: Dequantize,
  { tensor, layout }: PlannedWeight,
): AsyncGenerator<Uint8Array> {
  const { type, shape, byteOffset, byteLength } = tensor;
  // in the same order: one run of blocks, whatever the rows
  const rows = layout.kind === "same" ? byteLength / type.blockBytes : (shape[0] as number);
  const rowBytes = byteLength / rows;
  const rowLength = (rowBytes / type.blockBytes) * type.blockSize;
  // rows are permuted within a head; a transposition needs all of them
  const unit = layout.kind === "rotary-rows" ? layout.headRows : layout.kind === "transposed" ? rows : 1;
  const step = unit * Math.max(1, Math.floor(CHUNK_VALUES / (unit * rowLength)));
  for (let row = 0; row < rows; row += step) {
    const count = Math.min(step, rows - row);
    const packed = await readExactly(source, byteOffset + row * rowBytes, count * rowBytes);
    const unpacked = unpack(dequantize, type.name, packed, count * rowLength);
    if (layout.kind === "same") yield unpacked;
    else {
      const elementBytes = unpacked.length / (count * rowLength);
      yield layout.kind === "transposed"
        ? transpose(unpacked, count, rowLength, elementBytes)
        : neighboursToHalves(unpacked, layout.headRows, rowLength * elementBytes);
    }
  }
}

/** Half-precision values stay as they are; packed ones become float32. */
function unpack(dequantize: Dequantize, type: GgmlTypeName, packed: Uint8Array, count: number): Uint8Array {
  if (type === "F32" || type === "F16" || type === "BF16") return packed;
  const values = new Float32Array(count);
  dequantize(type, packed, values);
  return new Uint8Array(values.buffer);
}

/**
 * Undoes llama.cpp's permutation of each head's rows: row 2i + j of a head goes back to j * headRows / 2 + i.
 * @param bytes [heads * headRows * rowBytes]
 */
function neighboursToHalves(bytes: Uint8Array, headRows: number, rowBytes: number): Uint8Array {
  const half = headRows / 2;
  const ordered = new Uint8Array(bytes.length);
  for (let head = 0; head < bytes.length; head += headRows * rowBytes) {
    for (let row = 0; row < headRows; row++) {
      const from = head + row * rowBytes;
      const to = head + ((row & 1) * half + (row >> 1)) * rowBytes;
      ordered.set(bytes.subarray(from, from + rowBytes), to);
    }
  }
  return ordered;
}

/** [rows, columns] to [columns, rows], elements of 2 or 4 bytes. */
function transpose(bytes: Uint8Array, rows: number, columns: number, elementBytes: number): Uint8Array {
  const transposed = new Uint8Array(bytes.length);
  const view = (of: Uint8Array): Uint16Array | Uint32Array =>
    elementBytes === 2
      ? new Uint16Array(of.buffer, of.byteOffset, rows * columns)
      : new Uint32Array(of.buffer, of.byteOffset, rows * columns);
  const [from, to] = [view(bytes), view(transposed)];
  for (let column = 0, at = 0; column < columns; column++) {
    for (let row = 0; row < rows; row++) to[at++] = from[row * columns + column] as number;
  }
  return transposed;
}
