import { type FileHandle, open, rename, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { LayerStates } from "../engine/layer-states.ts";
import { TRACE_POSITIONS, type TracePosition } from "../engine/places.ts";
import { SepError } from "../errors.ts";
import { layoutSafetensors, type SafetensorsLayout } from "../formats/encode-safetensors.ts";
import { SAFETENSORS_DTYPE_BYTES } from "../formats/safetensors.ts";
import { encodeFloat16Into } from "../math/half.ts";
import { makeFolder, withFile } from "../store/file-error.ts";
import { createFingerprint } from "../store/fingerprint.ts";
import { writeSafetensors } from "../store/safetensors.ts";
import { writeExactly, writePartsSync } from "../store/write-atomic.ts";
import { formatBytes } from "../text/format-numbers.ts";
import { hiddenStatesTensor } from "./hidden-states.ts";

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

/** Rows of a position that follow each other, and so do the tokens that they are the states of. */
export interface StateRows {
  readonly position: TracePosition;
  /** The first one. */
  readonly row: number;
  readonly count: number;
  readonly states: LayerStates;
  /** In `states`, of the first row. */
  readonly token: number;
}

/** A hidden-states file of known size whose rows are filled in any order. */
export interface HiddenStatesWriter extends AsyncDisposable {
  /**
   * Writes rows, in any order; those that follow each other in a position are written at once.
   * @throws SepError `bad-checkpoint` for a vector that is all zero or has a NaN or infinity in it; `bad-option` for a number
   *   that float16 cannot hold; `bad-backend` for arrays of another shape
   */
  write(rows: readonly StateRows[]): Promise<void>;
  /** Gives the complete file its final name. @returns its fingerprint, most of which is known by then */
  finish(path: string): Promise<string>;
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

/** Bytes that are written at once. What has been checked is still in the CPU's cache when the system takes it and it is hashed. */
const BLOCK_BYTES = 1 << 18;

function createWriter(
  file: FileHandle,
  path: string,
  { layers, hiddenSize, dtype = "float32" }: HiddenStatesShape,
  { entries, totalBytes }: SafetensorsLayout,
): HiddenStatesWriter {
  const fingerprint = createFingerprint(file, totalBytes);
  const rowBytes = hiddenSize * SAFETENSORS_DTYPE_BYTES[STORED[dtype]];
  const rowsAtOnce = Math.max(1, Math.floor(BLOCK_BYTES / rowBytes));
  const encode = dtype === "float16" ? createHalfEncoder(rowsAtOnce, hiddenSize) : createCheck(hiddenSize);

  /** Writes one layer of rows that follow each other without a gap. */
  const writeLayer = (stretch: readonly StateRows[], index: number): void => {
    const layer = layers[index]!;
    const [{ position, row: first }] = stretch as readonly [StateRows];
    const { begin } = entries.get(hiddenStatesTensor(position, layer)) as { readonly begin: number };
    let parts: Uint8Array[] = [];
    let written = 0;
    let waiting = 0;
    const flush = (): void => {
      let at = begin + (first + written) * rowBytes;
      writePartsSync(file, parts, at);
      for (const part of parts) {
        fingerprint.wrote(part, at);
        at += part.length;
      }
      written += waiting;
      parts = [];
      waiting = 0;
    };
    for (const { row, count, states, token } of stretch) {
      for (let done = 0; done < count; ) {
        const rows = Math.min(rowsAtOnce - waiting, count - done);
        const from = (token + done) * hiddenSize;
        const values = states[index]!.subarray(from, from + rows * hiddenSize);
        parts.push(encode(values, waiting, (i) => `${position}, layer ${layer}, row ${row + done + i}`));
        done += rows;
        waiting += rows;
        if (waiting === rowsAtOnce) flush();
      }
    }
    flush();
  };
  return {
    write: (rows) =>
      withFile(path, async () => {
        for (const each of rows) requireStates(each, layers.length, hiddenSize);
        // without a pause, since calls that are under way together share the block
        for (const stretch of consecutive(rows))
          for (const index of layers.keys()) writeLayer(stretch, index);
      }),
    finish: (finalPath) =>
      withFile(finalPath, async () => {
        const [found] = await Promise.all([fingerprint.finish(), file.datasync()]);
        await rename(path, finalPath);
        return found;
      }),
    [Symbol.asyncDispose]: () => file.close(),
  };
}

/** A backend of the user's own may give states of another shape than it was asked for. */
function requireStates(
  { position, row, count, states, token }: StateRows,
  layerCount: number,
  hiddenSize: number,
): void {
  const needed = (token + count) * hiddenSize;
  if (states.length === layerCount && states.every(({ length }) => length >= needed)) return;
  const [length = 0] = states.map(({ length }) => length).toSorted((a, b) => a - b);
  throw new SepError(
    "bad-backend",
    `The backend gave ${states.length} arrays of at least ${length} numbers for the states at ${position}, row ${row}; expected ${layerCount}, one per layer, of at least ${needed}.`,
  );
}

/**
 * Checks the vectors of some rows and gives their bytes as they are stored.
 * @param values [rows, D]
 * @param waiting how many rows have been encoded since the last write
 * @param where says where a row of `values` belongs
 * @throws SepError as {@link HiddenStatesWriter.write} says
 */
type EncodeRows = (values: Float32Array, waiting: number, where: (row: number) => string) => Uint8Array;

function createCheck(hiddenSize: number): EncodeRows {
  return (values, _waiting, where) => {
    for (let begin = 0; begin < values.length; begin += hiddenSize) {
      // in float64, squares of float32 numbers neither overflow nor vanish
      const squares = sumOfSquares(values, begin, begin + hiddenSize);
      if (!(squares > 0 && squares < Number.POSITIVE_INFINITY))
        throw refuseVector(squares, where(begin / hiddenSize));
    }
    return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  };
}

function createHalfEncoder(rowsAtOnce: number, hiddenSize: number): EncodeRows {
  const halves = new Uint16Array(rowsAtOnce * hiddenSize);
  return (values, waiting, where) => {
    const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
    const start = waiting * hiddenSize;
    for (let begin = 0; begin < values.length; begin += hiddenSize) {
      const largest = encodeFloat16Into(words, begin, halves, start + begin, hiddenSize);
      if (!(largest > 0 && largest < FLOAT16_OVERFLOW)) {
        const magnitude = new Float32Array(Uint32Array.of(largest).buffer)[0]!;
        throw refuseVector(magnitude, where(begin / hiddenSize));
      }
    }
    return new Uint8Array(
      halves.buffer,
      start * halves.BYTES_PER_ELEMENT,
      values.length * halves.BYTES_PER_ELEMENT,
    );
  };
}

function sumOfSquares(values: Float32Array, begin: number, end: number): number {
  // two sums of pairs: each addition waits for the one before it
  let first = 0;
  let second = 0;
  let i = begin;
  for (; i + 3 < end; i += 4) {
    first += values[i]! * values[i]! + values[i + 1]! * values[i + 1]!;
    second += values[i + 2]! * values[i + 2]! + values[i + 3]! * values[i + 3]!;
  }
  for (; i < end; i++) first += values[i]! ** 2;
  return first + second;
}

/** Rows by position, in stretches without a gap. */
function consecutive(rows: readonly StateRows[]): StateRows[][] {
  const ordered = rows.toSorted(
    (a, b) => TRACE_POSITIONS.indexOf(a.position) - TRACE_POSITIONS.indexOf(b.position) || a.row - b.row,
  );
  const stretches: StateRows[][] = [];
  for (const each of ordered) {
    const last = stretches.at(-1)?.at(-1);
    if (last?.position === each.position && last.row + last.count === each.row) stretches.at(-1)!.push(each);
    else stretches.push([each]);
  }
  return stretches;
}

/** @param size of the vector: 0, not finite, or its largest magnitude, which float16 cannot hold */
function refuseVector(size: number, where: string): SepError {
  if (size === 0 || !Number.isFinite(size))
    return new SepError(
      "bad-checkpoint",
      `The hidden state at ${where} is ${size === 0 ? "all zero" : "not finite"}. The weights may be damaged.`,
    );
  return new SepError(
    "bad-option",
    `The hidden state at ${where} has a number of ${size}, but float16 holds less than 65520. Store this model's states with --states-dtype float32.`,
  );
}

/** Bits of the least float32 number that rounds to infinity in float16: the largest half, 65504, and half a unit. */
const FLOAT16_OVERFLOW = 0x477ff000;
