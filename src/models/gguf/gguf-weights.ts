import { mkdir, open, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { SepError } from "../../errors.ts";
import { layoutSafetensors, type SafetensorsLayout } from "../../store/safetensors.ts";
import { readSafetensorsHeader } from "../../store/safetensors-header.ts";
import { TEMPORARY_ENDING, writeAtomic } from "../../store/write-atomic.ts";
import { writeExactly } from "../../store/write-exactly.ts";
import { cacheFolder } from "../cache-folder.ts";
import type { StoredWeight, WeightIndex } from "../weight-index.ts";
import { createWeightConverter, storedDtype } from "./convert-weights.ts";
import type { GgufHeader } from "./gguf-header.ts";
import type { PlannedWeight } from "./weight-plan.ts";

export interface OpenGgufWeightsOptions {
  /** SHA-256 of the whole GGUF file, asked for only when something has to be converted. */
  readonly fingerprint: () => Promise<string>;
}

/**
 * Where each weight's bytes are. Those that a graph can use as they lie stay in the GGUF file; the others are
 * converted once into a safetensors file in the cache, named by the GGUF file's content, so that a changed file is
 * never taken for the old one. The file appears whole or not at all; two processes that make it at once write the
 * same bytes, and the later one replaces the earlier.
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
  const index = new Map<string, StoredWeight>(
    plan.map(({ name, shape, tensor: { type, byteOffset, byteLength } }) => [
      name,
      { dtype: type.name, shape, file: path, byteOffset, byteLength },
    ]),
  );
  if (!converts) return index;
  const layout = layoutSafetensors(
    converted.map(({ name, shape, tensor }) => ({ name, dtype: storedDtype(tensor.type.name), shape })),
  );
  const folder = cacheFolder("gguf");
  const file = join(folder, `${await fingerprint()}-${CONVERSION}.safetensors`);
  if (!(await isWhole(file, layout))) {
    await removeAbandoned(folder);
    await writeConverted(file, layout, { path, modifiedMs, weights: converted }).catch(
      async (error: unknown) => {
        // Windows replaces no file that another process maps; that process has made the same one
        if (!(await isWhole(file, layout))) throw error;
      },
    );
  }
  for (const [name, { dtype, shape, begin, end }] of layout.entries) {
    index.set(name, { dtype, shape, file, byteOffset: begin, byteLength: end - begin });
  }
  return index;
}

/** Changes whenever the conversion does, so that files of an older version are not used. */
const CONVERSION = "v1";
/**
 * Norms and biases are copied beside converted matrices, so that a packed model needs only the converted file, and
 * no graph folder on another file system has to copy the GGUF file for their sake.
 */
const SMALL_BYTES = 1 << 20;
/** A conversion writes all the time; a temporary file that nothing was written to for so long is left over. */
const ABANDONED_AFTER_MS = 3_600_000;

async function isWhole(file: string, { entries, totalBytes }: SafetensorsLayout): Promise<boolean> {
  const found = await stat(file).catch(() => null); // absent or unreadable: written anew, which says why it fails
  if (found?.size !== totalBytes) return false;
  const { tensors } = await readSafetensorsHeader(file, { code: "bad-checkpoint" });
  return [...entries].every(([name, { dtype, begin, end }]) => {
    const there = tensors.get(name);
    return there?.dtype === dtype && there.begin === begin && there.end === end;
  });
}

async function writeConverted(
  file: string,
  { header, entries }: SafetensorsLayout,
  {
    path,
    modifiedMs,
    weights,
  }: { readonly path: string; readonly modifiedMs: number; readonly weights: readonly PlannedWeight[] },
): Promise<void> {
  const source = await open(path, "r");
  try {
    const convert = createWeightConverter(source);
    await writeAtomic(file, async (target) => {
      await writeExactly(target, header, 0);
      for (const weight of weights) {
        let position = entries.get(weight.name)?.begin as number;
        for await (const bytes of convert(weight)) {
          await writeExactly(target, bytes, position);
          position += bytes.length;
        }
      }
      if ((await source.stat()).mtimeMs !== modifiedMs)
        throw new SepError("bad-checkpoint", `${path} changed while it was read. Start again.`);
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    const total = [...entries.values()].reduce((sum, { begin, end }) => sum + end - begin, 0);
    throw new SepError(
      "disk-full",
      `${file} takes ${total} bytes, and the disk has no room for them. Free some, or set SEP_CACHE to a folder on another disk.`,
      { cause: error },
    );
  } finally {
    await source.close();
  }
}

async function removeAbandoned(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const name of await readdir(folder)) {
    if (!name.endsWith(TEMPORARY_ENDING)) continue;
    const { mtimeMs } = await stat(join(folder, name)).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY })); // gone meanwhile
    if (Date.now() - mtimeMs > ABANDONED_AFTER_MS) await rm(join(folder, name), { force: true });
  }
}
