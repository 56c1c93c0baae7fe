import { TRACE_POSITIONS, type TracePosition } from "../engine/places.ts";
import { SepError } from "../errors.ts";
import type { SafetensorsHeader, TensorEntry } from "../formats/safetensors.ts";
import { type Allocate, allocateNew } from "../math/vector.ts";
import { readSafetensorsHeader, readTensorRows } from "../store/safetensors.ts";

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
export const hiddenStatesTensor = (position: TracePosition, layer: number): string =>
  `${position}.layer.${layer}`;
