import { type FileHandle, open, rename, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { LayerStates } from "../engine/layer-states.ts";
import { TRACE_POSITIONS, type TracePosition } from "../engine/places.ts";
import { SepError } from "../errors.ts";
import { layoutSafetensors, type SafetensorsLayout } from "../formats/encode-safetensors.ts";
import { SAFETENSORS_DTYPE_BYTES } from "../formats/safetensors.ts";
import { encodeFloat16Into } from "../math/half.ts";
import { makeFolder, withFile } from "../store/file-error.ts";
import { writeSafetensors } from "../store/safetensors.ts";
import { writeExactly, writeExactlySync } from "../store/write-atomic.ts";
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

/** One row of a position: the state of one of the tokens in `states`. */
export interface StateRow {
  readonly position: TracePosition;
  readonly row: number;
  readonly states: LayerStates;
  readonly token: number;
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

/** Bytes that are written at once: they are still in the CPU's cache when the system takes them. */
const BLOCK_BYTES = 1 << 18;

function createWriter(
  file: FileHandle,
  path: string,
  { layers, hiddenSize, dtype = "float32" }: HiddenStatesShape,
  { entries }: SafetensorsLayout,
): HiddenStatesWriter {
  const rowBytes = hiddenSize * SAFETENSORS_DTYPE_BYTES[STORED[dtype]];
  const rowsAtOnce = Math.max(1, Math.floor(BLOCK_BYTES / rowBytes));
  const count = rowsAtOnce * hiddenSize;
  const block = dtype === "float16" ? new Uint16Array(count) : new Uint32Array(count);
  const bytes = new Uint8Array(block.buffer);
  const tooLarge = dtype === "float16" ? FLOAT16_OVERFLOW : INFINITY;
  /** Writes one layer of rows that follow each other. */
  const writeLayer = (rows: readonly StateRow[], index: number, wordsOf: WordsOf): void => {
    const layer = layers[index]!;
    const tensor = entries.get(hiddenStatesTensor(rows[0]!.position, layer)) as { readonly begin: number };
    for (let from = 0; from < rows.length; from += rowsAtOnce) {
      const part = rows.slice(from, from + rowsAtOnce);
      for (const [i, { position, row, states, token }] of part.entries()) {
        const words = wordsOf(states, index);
        const largest = storeVector(words, token * hiddenSize, block, i * hiddenSize, hiddenSize);
        if (!(largest > 0 && largest < tooLarge))
          throw refuseVector(largest, `${position}, layer ${layer}, row ${row}`);
      }
      const begin = tensor.begin + part[0]!.row * rowBytes;
      writeExactlySync(file, bytes.subarray(0, part.length * rowBytes), begin);
    }
  };
  return {
    // without a pause, since calls that are under way together share the block
    write: (rows) =>
      withFile(path, async () => {
        const wordsOf = createWords(layers.length);
        for (const stretch of consecutive(rows))
          for (const index of layers.keys()) writeLayer(stretch, index, wordsOf);
      }),
    async finish(finalPath) {
      await withFile(finalPath, async () => {
        await file.datasync();
        await rename(path, finalPath);
      });
    },
    [Symbol.asyncDispose]: () => file.close(),
  };
}

/** @returns the bits of float32 numbers */
type WordsOf = (states: LayerStates, index: number) => Uint32Array;

/** Makes one view of each array. */
function createWords(layerCount: number): WordsOf {
  const known = new Map<LayerStates, readonly Uint32Array[]>();
  return (states, index) => {
    let words = known.get(states);
    if (words === undefined) {
      if (states.length !== layerCount)
        throw new RangeError(`Got states of ${states.length} layers, expected ${layerCount}.`);
      words = states.map(
        ({ buffer, byteOffset, length }) => new Uint32Array(buffer as ArrayBuffer, byteOffset, length),
      );
      known.set(states, words);
    }
    return words[index]!;
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
  if (from + count > words.length)
    throw new RangeError(`Got ${words.length} numbers of a layer, expected at least ${from + count}.`);
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
