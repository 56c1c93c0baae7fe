import { type FileHandle, open } from "node:fs/promises";
import type { StoredWeight, WeightIndex } from "../../engine/graph/weights.ts";
import { SepError } from "../../errors.ts";
import type { TensorEntry } from "../../formats/safetensors.ts";
import { writeExactly } from "../../store/write-atomic.ts";
import { openDerivedWeights } from "../derived-weights.ts";
import { fileSource } from "../weight-index.ts";
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
 * never taken for the old one.
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

/** Changes whenever the conversion does, so that files of an older version are not used. */
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
