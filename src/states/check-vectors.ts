import { fingerprint } from "../store/fingerprint.ts";
import { nameRow } from "./check-rows.ts";
import type { TraceRow } from "./trace-plan.ts";
import { type CheckTally, createTally, type TraceCheck } from "./trace-verdict.ts";

/** Looks at vectors as they are read, one tensor after the other. */
export interface VectorChecker {
  /**
   * @param vectors [rows.length, D]
   * @param prefixOf a text that is the same for the same tokens up to a row
   */
  look(
    rows: readonly TraceRow[],
    layer: number,
    vectors: Float32Array,
    prefixOf: (row: TraceRow) => string,
  ): void;
  finish(): readonly TraceCheck[];
}

export function createVectorChecker(): VectorChecker {
  const finite = createTally("finite");
  const zero = createTally("zero");
  const constant = createTally("constant");
  const duplicate = createTally("duplicate");
  return {
    look(rows, layer, vectors, prefixOf) {
      const width = vectors.length / Math.max(1, rows.length);
      const first = new Map<string, { readonly row: TraceRow; readonly prefix: string }>();
      for (const [i, row] of rows.entries()) {
        const vector = vectors.subarray(i * width, (i + 1) * width);
        lookAtValues(vector, `${nameRow(row)}, layer ${layer}`, { finite, zero, constant });
        // the embeddings of one token are the same wherever it stands
        if (layer === 0) continue;
        const key = fingerprint(new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength));
        const prefix = prefixOf(row);
        const before = first.get(key);
        if (before === undefined) first.set(key, { row, prefix });
        duplicate.count(
          before === undefined || before.prefix === prefix
            ? null
            : `${nameRow(row)} has the vector of row ${before.row.row} at layer ${layer}`,
        );
      }
    },
    finish: () => [finite.finish(), zero.finish(), constant.finish(), duplicate.finish()],
  };
}

function lookAtValues(
  vector: Float32Array,
  where: string,
  { finite, zero, constant }: Readonly<Record<"finite" | "zero" | "constant", CheckTally>>,
): void {
  const bad = vector.findIndex((value) => !Number.isFinite(value));
  const isLevel = vector.length > 1 && vector.every((value) => value === vector[0]);
  finite.count(bad === -1 ? null : `${where}: ${vector[bad]} at ${bad}`);
  zero.count(isLevel && vector[0] === 0 ? `${where}: all zero` : null);
  constant.count(isLevel && vector[0] !== 0 ? `${where}: ${vector[0]} throughout` : null);
}
