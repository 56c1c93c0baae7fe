import type { LinearWeight } from "../engine/graph/graph-scope.ts";
import type { Quantisation } from "../engine/graph/quantisation.ts";
import type { SafetensorsDtype } from "../formats/safetensors-dtype.ts";
import { encodeTensor } from "../formats/tensor-bytes.ts";
import { fingerprint } from "../store/fingerprint.ts";
import { readTensor } from "../store/safetensors.ts";
import { writeExactly } from "../store/write-exactly.ts";
import { openDerivedWeights } from "./derived-weights.ts";
import type { StoredWeight, WeightIndex } from "./weight-index.ts";

/**
 * The linear maps' weights in fewer bits, made once and kept in the cache.
 * @param weightsKey SHA-256 of the checkpoint's weights
 * @returns the tensors that each map's format keeps
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
        const {
          file: source,
          dtype,
          shape,
          byteOffset,
          byteLength,
        } = weights.get(linear.name) as StoredWeight;
        const values = await readTensor(source, {
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
