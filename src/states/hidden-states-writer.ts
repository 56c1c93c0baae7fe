import { type FileHandle, open, rename, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { SepError } from "../errors.ts";
import { makeFolder, withFile } from "../store/file-error.ts";
import { layoutSafetensors, type SafetensorsLayout } from "../formats/encode-safetensors.ts";
import { writeExactly } from "../store/write-atomic.ts";
import type { TracePosition } from "./positions.ts";

/** Tensor of one position and layer in the hidden-states file: [rows of the position, D]. */
export const hiddenStatesTensor = (position: TracePosition, layer: number): string =>
  `${position}.layer.${layer}`;

export interface HiddenStatesShape {
  readonly rowCounts: ReadonlyMap<TracePosition, number>;
  readonly layers: readonly number[];
  /** D */
  readonly hiddenSize: number;
  /** Provenance, as safetensors metadata. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** A hidden-states file of known size whose rows are filled in any order. */
export interface HiddenStatesWriter extends AsyncDisposable {
  /**
   * Writes one row of a position in every layer.
   * @param residuals [layers, D]
   * @throws SepError `bad-checkpoint` for a vector that is all zero or has a NaN or infinity in it
   */
  write(position: TracePosition, row: number, residuals: Float32Array): Promise<void>;
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

function layOut({ rowCounts, layers, hiddenSize, metadata }: HiddenStatesShape): SafetensorsLayout {
  const tensors = [...rowCounts].flatMap(([position, rows]) =>
    layers.map((layer) => ({
      name: hiddenStatesTensor(position, layer),
      dtype: "F32" as const,
      shape: [rows, hiddenSize],
    })),
  );
  return layoutSafetensors(tensors, metadata);
}

function createWriter(
  file: FileHandle,
  path: string,
  { layers, hiddenSize }: HiddenStatesShape,
  { entries }: SafetensorsLayout,
): HiddenStatesWriter {
  const rowBytes = hiddenSize * Float32Array.BYTES_PER_ELEMENT;
  return {
    async write(position, row, residuals) {
      for (const [index, layer] of layers.entries()) {
        const vector = residuals.subarray(index * hiddenSize, (index + 1) * hiddenSize);
        checkVector(vector, `${position}, layer ${layer}, row ${row}`);
        const { begin } = entries.get(hiddenStatesTensor(position, layer)) as { readonly begin: number };
        const bytes = new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
        await withFile(path, () => writeExactly(file, bytes, begin + row * rowBytes));
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

function checkVector(vector: Float32Array, where: string): void {
  let magnitude = 0;
  for (const value of vector)
    magnitude = Math.max(magnitude, Number.isFinite(value) ? Math.abs(value) : Infinity);
  if (magnitude > 0 && magnitude < Infinity) return;
  throw new SepError(
    "bad-checkpoint",
    `The hidden state at ${where} is ${magnitude === 0 ? "all zero" : "not finite"}. The weights may be damaged.`,
  );
}
