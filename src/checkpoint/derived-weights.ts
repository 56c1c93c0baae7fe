import { type FileHandle, readdir, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { LinearWeight, Quantisation } from "../engine/graph/graph-scope.ts";
import type { StoredWeight, WeightIndex } from "../engine/graph/weights.ts";
import { SepError } from "../errors.ts";
import { layoutSafetensors, type SafetensorsLayout } from "../formats/encode-safetensors.ts";
import type { SafetensorsDtype, TensorEntry } from "../formats/safetensors.ts";
import { encodeTensor, type TensorSpec } from "../formats/tensor-bytes.ts";
import { errnoOf, explainCacheError, makeFolder } from "../store/file-error.ts";
import { fingerprint } from "../store/fingerprint.ts";
import { readSafetensorsHeader, readTensor } from "../store/safetensors.ts";
import { TEMPORARY_ENDING, writeAtomic, writeExactly } from "../store/write-atomic.ts";
import { cacheFolder } from "./cache-folder.ts";
import { fileSource } from "./weight-index.ts";

/**
 * The quantised weights of linear layers, made once and kept in the cache.
 * @param weightsKey SHA-256 of the checkpoint's weights
 * @returns the tensors that each layer's format keeps
 */
export async function openQuantisedWeights(
  { kind, formatOf }: Quantisation,
  weights: WeightIndex,
  linears: readonly LinearWeight[],
  weightsKey: string,
): Promise<WeightIndex> {
  const tensors = linears.flatMap((linear) => formatOf(linear).tensors(linear));
  return openDerivedWeights({
    kind,
    key: fingerprint(`${weightsKey}\n${tensors.map(({ name }) => name).join("\n")}`),
    tensors,
    async write(file, entries) {
      for (const linear of linears) {
        const format = formatOf(linear);
        const { source, dtype, shape, byteOffset, byteLength } = weights.get(linear.name) as StoredWeight;
        const values = await readTensor(source.path as string, {
          dtype: dtype as SafetensorsDtype,
          shape,
          begin: byteOffset,
          end: byteOffset + byteLength,
        });
        const quantised = format.quantise(values, linear);
        for (const [at, spec] of format.tensors(linear).entries()) {
          const bytes = encodeTensor(quantised[at] as (typeof quantised)[number], spec.dtype);
          await writeExactly(file, bytes, entries.get(spec.name)?.begin as number);
        }
      }
    },
  });
}

/** Weights that are computed from a checkpoint once and kept in the cache. */
interface DerivedWeights {
  /** Folder of the cache, and how the weights are derived: a new way needs a new name. */
  readonly kind: string;
  /** Identifies what they are derived from, by content. */
  readonly key: string;
  readonly tensors: readonly TensorSpec[];
  /** Writes every tensor's bytes at its place in the file. */
  write(file: FileHandle, entries: ReadonlyMap<string, TensorEntry>): Promise<void>;
}

/**
 * Finds derived weights in the cache, or makes them. The file appears whole or not at all; two processes that make it
 * at once write the same bytes, and the later one replaces the earlier.
 * @throws SepError `disk-full`, `cache-not-writable`
 */
export async function openDerivedWeights({
  kind,
  key,
  tensors,
  write,
}: DerivedWeights): Promise<WeightIndex> {
  const layout = layoutSafetensors(tensors);
  const folder = cacheFolder(kind);
  const file = join(folder, `${key}.safetensors`);
  if (!(await isWhole(file, layout))) {
    await removeAbandoned(folder);
    await make(file, layout, write).catch(async (error: unknown) => {
      // Windows replaces no file that another process maps; that process has made the same one
      if (!(await isWhole(file, layout))) throw error;
    });
  }
  const source = fileSource(file);
  return new Map<string, StoredWeight>(
    [...layout.entries].map(([name, { dtype, shape, begin, end }]) => [
      name,
      { dtype, shape, source, byteOffset: begin, byteLength: end - begin },
    ]),
  );
}

/** A writer writes all the time; a temporary file that nothing was written to for so long is left over. */
const ABANDONED_AFTER_MS = 3_600_000;

async function isWhole(file: string, { entries, totalBytes }: SafetensorsLayout): Promise<boolean> {
  const found = await stat(file).catch(() => null); // absent or unreadable: written again, which says why it fails
  if (found?.size !== totalBytes) return false;
  const { tensors } = await readSafetensorsHeader(file, { code: "bad-checkpoint" });
  return [...entries].every(([name, { dtype, begin, end }]) => {
    const there = tensors.get(name);
    return there?.dtype === dtype && there.begin === begin && there.end === end;
  });
}

async function make(
  file: string,
  { header, entries, totalBytes }: SafetensorsLayout,
  write: DerivedWeights["write"],
): Promise<void> {
  try {
    await writeAtomic(file, async (target) => {
      await writeExactly(target, header, 0);
      await write(target, entries);
    });
  } catch (error) {
    if (!["ENOSPC", "EDQUOT"].includes(errnoOf(error) ?? ""))
      throw explainCacheError(error, dirname(file), "another folder with SEP_CACHE");
    throw new SepError(
      "disk-full",
      `${file} takes ${totalBytes} bytes, but the disk has no room for it. Free some space, or set SEP_CACHE to a folder on another disk.`,
      { cause: error },
    );
  }
}

async function removeAbandoned(folder: string): Promise<void> {
  await makeFolder(folder).catch((error: unknown) => {
    throw explainCacheError(error, folder, "another folder with SEP_CACHE");
  });
  for (const name of await readdir(folder)) {
    if (!name.endsWith(TEMPORARY_ENDING)) continue;
    const { mtimeMs } = await stat(join(folder, name)).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY })); // gone meanwhile
    if (Date.now() - mtimeMs > ABANDONED_AFTER_MS) await rm(join(folder, name), { force: true });
  }
}
