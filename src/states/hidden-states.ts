import { type FileHandle, open, rename, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { TRACE_POSITIONS, type TracePosition } from "../engine/places.ts";
import { SepError } from "../errors.ts";
import { layoutSafetensors, type SafetensorsLayout } from "../formats/encode-safetensors.ts";
import { SAFETENSORS_DTYPE_BYTES, type SafetensorsHeader, type TensorEntry } from "../formats/safetensors.ts";
import { encodeFloat16Into } from "../math/half.ts";
import { type Allocate, allocateNew } from "../math/vector.ts";
import { makeFolder, withFile } from "../store/file-error.ts";
import { readSafetensorsHeader, readTensorRows, writeSafetensors } from "../store/safetensors.ts";
import { writeExactly, writeExactlySync } from "../store/write-atomic.ts";
import { formatBytes } from "../text/format-numbers.ts";

/** A file of traced hidden states, read one layer at a time. */
export interface HiddenStates {
  readonly path: string;
  /** D */
  readonly width: number;
  /** Layers traced, ascending: 0 = embeddings, l = after block l, before the final norm. At least one. */
  readonly layers: readonly number[];
  /** Those traced, in the order of {@link TRACE_POSITIONS}. */
  readonly positions: readonly TracePosition[];
  /** Where the states came from, as the trace wrote it. */
  readonly metadata: Readonly<Record<string, string>>;
  /** @returns how many rows there are at a position */
  rowCount(position: TracePosition): number;
  /**
   * Reads some rows of one layer.
   * @param rows     indices into the position's rows, repeats allowed
   * @param allocate gives the result its memory
   * @returns [rows.length, D]
   * @throws SepError `bad-option` for a position or layer that was not traced
   */
  read(
    position: TracePosition,
    layer: number,
    rows: ArrayLike<number>,
    allocate?: (size: number) => Float32Array,
  ): Promise<Float32Array>;
}

/**
 * Opens `*_hidden_states.safetensors`, whose tensors `{position}.layer.{l}` are [N, D].
 * @throws SepError `bad-artifact` if it holds none, or their layers or widths do not agree
 */
export async function openHiddenStates(path: string): Promise<HiddenStates> {
  const header = await readSafetensorsHeader(path);
  const layersOf = new Map(TRACE_POSITIONS.map((position) => [position, findLayers(header, position)]));
  const positions = TRACE_POSITIONS.filter((position) => layersOf.get(position)!.length > 0);
  const first = positions[0];
  if (first === undefined) {
    throw new SepError(
      "bad-artifact",
      `${path} has no tensor with a name like "think-end.layer.0". Make it with \`sep trace\`.`,
    );
  }
  const layers = layersOf.get(first)!;
  const width = header.tensors.get(hiddenStatesTensor(first, layers[0]!))?.shape[1] ?? 0;
  for (const position of positions) checkPosition(path, header, position, { width, layers });
  const entryOf = (position: TracePosition, layer: number): TensorEntry => {
    const entry = header.tensors.get(hiddenStatesTensor(position, layer));
    if (entry !== undefined) return entry;
    throw new SepError(
      "bad-option",
      `Layer ${layer} at ${position} was not traced; there are layers ${layers.join(", ")} at ${positions.join(", ")}.`,
    );
  };
  return {
    path,
    width,
    layers,
    positions,
    metadata: header.metadata,
    rowCount: (position) => entryOf(position, layers[0]!).shape[0]!,
    read: async (position, layer, rows, allocate) =>
      readRepeatedRows(path, entryOf(position, layer), rows, width, allocate),
  };
}

/** Layers that a position has tensors of, ascending. */
function findLayers(header: SafetensorsHeader, position: TracePosition): number[] {
  const prefix = `${position}.layer.`;
  return [...header.tensors.keys()]
    .filter((name) => name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length)))
    .map((name) => Number(name.slice(prefix.length)))
    .sort((a, b) => a - b);
}

function checkPosition(
  path: string,
  header: SafetensorsHeader,
  position: TracePosition,
  { width, layers }: { readonly width: number; readonly layers: readonly number[] },
): void {
  const rowCount = header.tensors.get(hiddenStatesTensor(position, layers[0]!))?.shape[0];
  for (const layer of layers) {
    const shape = header.tensors.get(hiddenStatesTensor(position, layer))?.shape;
    if (shape?.length === 2 && shape[0] === rowCount && shape[1] === width) continue;
    throw new SepError(
      "bad-artifact",
      `${path}: "${hiddenStatesTensor(position, layer)}" has shape [${shape ?? "missing"}], expected [${rowCount}, ${width}]. ` +
        "Make it again with `sep trace --force`.",
    );
  }
}

/** Samples of one question share a row before generation: each row is read from disk once. */
async function readRepeatedRows(
  path: string,
  entry: TensorEntry,
  rows: ArrayLike<number>,
  width: number,
  allocate: Allocate = allocateNew,
): Promise<Float32Array> {
  const distinct = [...new Set(Array.from(rows))].sort((a, b) => a - b);
  if (distinct.length === rows.length && distinct.every((row, i) => row === rows[i])) {
    return readTensorRows(path, entry, distinct, allocate);
  }
  const stored = await readTensorRows(path, entry, distinct);
  const placeOf = new Map(distinct.map((row, place) => [row, place]));
  const values = allocate(rows.length * width);
  for (let i = 0; i < rows.length; i++) {
    const start = placeOf.get(rows[i]!)! * width;
    values.set(stored.subarray(start, start + width), i * width);
  }
  return values;
}

/** Name of the tensor of one position and layer in a hidden-states file: [rows of the position, D]. */
const hiddenStatesTensor = (position: TracePosition, layer: number): string => `${position}.layer.${layer}`;

/**
 * Writes a whole file of states of one position and layer.
 * @param states [N, D]
 */
export async function writeHiddenStates(
  path: string,
  {
    position,
    layer,
    width,
    states,
    metadata,
  }: {
    readonly position: TracePosition;
    readonly layer: number;
    /** D */
    readonly width: number;
    readonly states: Float32Array;
    readonly metadata: Readonly<Record<string, string>>;
  },
): Promise<void> {
  const shape = [states.length / width, width];
  const name = hiddenStatesTensor(position, layer);
  await writeSafetensors(path, [{ name, dtype: "F32", shape, data: states }], metadata);
}

export interface HiddenStatesShape {
  readonly rowCounts: ReadonlyMap<TracePosition, number>;
  readonly layers: readonly number[];
  /** D */
  readonly hiddenSize: number;
  /** Of the stored numbers; float32 by default. */
  readonly dtype?: StatesDtype | undefined;
  /** Provenance, as safetensors metadata. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** In what precision states are stored. Reading gives float32 in any case. */
export const STATES_DTYPES = ["float32", "float16"] as const;
export type StatesDtype = (typeof STATES_DTYPES)[number];
const STORED = { float32: "F32", float16: "F16" } as const satisfies Record<StatesDtype, string>;

/** What a file will hold and how large its tensors will be: "120 step-end × 5 layers × 256 numbers in float16: 0.3 MB". */
export function describeStatesSize({
  rowCounts,
  layers,
  hiddenSize,
  dtype = "float32",
}: HiddenStatesShape): string {
  const rows = [...rowCounts].map(([position, count]) => `${count} ${position}`).join(", ");
  const total = [...rowCounts.values()].reduce((sum, count) => sum + count, 0);
  const sizeBytes = total * layers.length * hiddenSize * SAFETENSORS_DTYPE_BYTES[STORED[dtype]];
  return `${rows} × ${layers.length} layers × ${hiddenSize} numbers in ${dtype}: ${formatBytes(sizeBytes)}`;
}

/** One row of a position in every layer. */
export interface StateRow {
  readonly position: TracePosition;
  readonly row: number;
  /** [layers, D] */
  readonly residual: Float32Array;
}

/** A hidden-states file of known size whose rows are filled in any order. */
export interface HiddenStatesWriter extends AsyncDisposable {
  /**
   * Writes rows; those that follow each other in a position are written at once.
   * @throws SepError `bad-checkpoint` for a vector that is all zero or has a NaN or infinity in it; `bad-option` for a number
   *   that float16 cannot hold
   */
  write(rows: readonly StateRow[]): Promise<void>;
  /** Gives the complete file its final name. */
  finish(path: string): Promise<void>;
}

/** @returns null unless `path` is a file of exactly this layout's size, which an interrupted trace left */
export async function reopenHiddenStates(
  path: string,
  shape: HiddenStatesShape,
): Promise<HiddenStatesWriter | null> {
  const layout = layOut(shape);
  const size = await stat(path).then(
    ({ size }) => size,
    () => null,
  );
  if (size !== layout.totalBytes) return null;
  return createWriter(await withFile(path, () => open(path, "r+")), path, shape, layout);
}

/** A new file at `path` with its header written and all rows still zero. */
export async function createHiddenStates(
  path: string,
  shape: HiddenStatesShape,
): Promise<HiddenStatesWriter> {
  const layout = layOut(shape);
  await makeFolder(dirname(path));
  return withFile(path, async () => {
    const file = await open(path, "w+");
    try {
      await writeExactly(file, layout.header, 0);
      await file.truncate(layout.totalBytes);
    } catch (error) {
      await file.close();
      throw error;
    }
    return createWriter(file, path, shape, layout);
  });
}

function layOut({
  rowCounts,
  layers,
  hiddenSize,
  dtype = "float32",
  metadata,
}: HiddenStatesShape): SafetensorsLayout {
  const tensors = [...rowCounts].flatMap(([position, rows]) =>
    layers.map((layer) => ({
      name: hiddenStatesTensor(position, layer),
      dtype: STORED[dtype],
      shape: [rows, hiddenSize],
    })),
  );
  return layoutSafetensors(tensors, metadata);
}

function createWriter(
  file: FileHandle,
  path: string,
  { layers, hiddenSize, dtype = "float32" }: HiddenStatesShape,
  { entries }: SafetensorsLayout,
): HiddenStatesWriter {
  const rowBytes = hiddenSize * SAFETENSORS_DTYPE_BYTES[STORED[dtype]];
  return {
    async write(rows) {
      for (const group of consecutive(rows)) {
        const [{ position, row }] = group as [StateRow];
        const words = group.map(
          ({ residual }) => new Uint32Array(residual.buffer, residual.byteOffset, residual.length),
        );
        for (const [index, layer] of layers.entries()) {
          const count = group.length * hiddenSize;
          const stored = dtype === "float16" ? new Uint16Array(count) : new Uint32Array(count);
          for (const [i, own] of words.entries()) {
            const [from, to] = [index * hiddenSize, i * hiddenSize];
            const largest = storeVector(own, from, stored, to, hiddenSize);
            if (!(largest > 0 && largest < (dtype === "float16" ? FLOAT16_OVERFLOW : INFINITY)))
              throw refuseVector(largest, `${position}, layer ${layer}, row ${row + i}`);
          }
          const { begin } = entries.get(hiddenStatesTensor(position, layer)) as { readonly begin: number };
          const bytes = new Uint8Array(stored.buffer);
          await withFile(path, async () => writeExactlySync(file, bytes, begin + row * rowBytes));
        }
      }
    },
    async finish(finalPath) {
      await withFile(finalPath, async () => {
        await file.datasync();
        await rename(path, finalPath);
      });
    },
    [Symbol.asyncDispose]: () => file.close(),
  };
}

/**
 * Takes one layer's vector, in the precision of what it is stored in.
 * @param words bits of float32 numbers
 * @returns bits of its largest magnitude: they are in the order of magnitudes, and NaN behind infinity
 */
function storeVector(
  words: Uint32Array,
  from: number,
  stored: Uint16Array | Uint32Array,
  to: number,
  count: number,
): number {
  if (stored instanceof Uint16Array) return encodeFloat16Into(words, from, stored, to, count);
  let largest = 0;
  for (let j = 0; j < count; j++) {
    const word = words[from + j]!;
    stored[to + j] = word;
    const magnitude = word & 0x7fffffff;
    if (magnitude > largest) largest = magnitude;
  }
  return largest;
}

/** Rows by position, in stretches without a gap. */
function consecutive(rows: readonly StateRow[]): StateRow[][] {
  const ordered = rows.toSorted(
    (a, b) => TRACE_POSITIONS.indexOf(a.position) - TRACE_POSITIONS.indexOf(b.position) || a.row - b.row,
  );
  const groups: StateRow[][] = [];
  for (const each of ordered) {
    const last = groups.at(-1)?.at(-1);
    if (last?.position === each.position && last.row + 1 === each.row) groups.at(-1)!.push(each);
    else groups.push([each]);
  }
  return groups;
}

/** @param largest bits of the vector's largest magnitude */
function refuseVector(largest: number, where: string): SepError {
  if (largest === 0 || largest >= INFINITY)
    return new SepError(
      "bad-checkpoint",
      `The hidden state at ${where} is ${largest === 0 ? "all zero" : "not finite"}. The weights may be damaged.`,
    );
  const [magnitude] = new Float32Array(Uint32Array.of(largest).buffer);
  return new SepError(
    "bad-option",
    `The hidden state at ${where} has a number of ${magnitude}, but float16 holds less than 65520. Store this model's states with --states-dtype float32.`,
  );
}

/** Bits of float32 numbers: infinity, and what rounds to infinity in float16 (the largest half, 65504, and half a unit). */
const INFINITY = 0x7f800000;
const FLOAT16_OVERFLOW = 0x477ff000;
