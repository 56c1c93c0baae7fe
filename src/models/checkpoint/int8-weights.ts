import { quantiseRows } from "../../math/quantise-rows.ts";
import { fingerprint } from "../../store/fingerprint.ts";
import { readTensor } from "../../store/safetensors.ts";
import type { SafetensorsDtype } from "../../store/safetensors-dtype.ts";
import { writeExactly } from "../../store/write-exactly.ts";
import type { LinearWeight } from "../graph/graph-scope.ts";
import { openDerivedWeights } from "./derived-weights.ts";
import type { StoredWeight, WeightIndex } from "./weight-index.ts";

/** Names of a quantised weight's two tensors. */
export const int8Codes = (weight: string): string => `${weight}.codes`;
export const int8Scales = (weight: string): string => `${weight}.scales`;

/**
 * The linear maps' weights in int8, made once and kept in the cache.
 * @param weightsKey SHA-256 of the checkpoint's weights
 * @returns per map its codes [inSize, outSize] and scales [outSize]
 */
export async function openInt8Weights(
  weights: WeightIndex,
  linears: readonly LinearWeight[],
  weightsKey: string,
): Promise<WeightIndex> {
  const tensors = linears.flatMap(({ name, outSize, inSize }) => [
    { name: int8Codes(name), dtype: "I8" as const, shape: [inSize, outSize] },
    { name: int8Scales(name), dtype: "F32" as const, shape: [outSize] },
  ]);
  return openDerivedWeights({
    kind: "int8-rows",
    key: fingerprint(`${weightsKey}\n${tensors.map(({ name }) => name).join("\n")}`),
    tensors,
    async write(file, entries) {
      for (const { name, outSize, inSize, layout } of linears) {
        const { file: source, dtype, shape, byteOffset, byteLength } = weights.get(name) as StoredWeight;
        const values = await readTensor(source, {
          dtype: dtype as SafetensorsDtype,
          shape,
          begin: byteOffset,
          end: byteOffset + byteLength,
        });
        const { codes, scales } = quantiseRows(values, { outSize, inSize, transposed: layout === "in-out" });
        await writeExactly(file, bytesOf(codes), entries.get(int8Codes(name))?.begin as number);
        await writeExactly(file, bytesOf(scales), entries.get(int8Scales(name))?.begin as number);
      }
    },
  });
}

const bytesOf = (values: Int8Array | Float32Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
