import { readSync } from "node:fs";
import { open } from "node:fs/promises";
import type { StoredWeight } from "../../checkpoint/weight-index.ts";
import { SepError } from "../../errors.ts";
import type { SafetensorsDtype } from "../../formats/safetensors-dtype.ts";
import { decodeTensor } from "../../formats/tensor-bytes.ts";

/** Rows of an embedding table that stays in its file. */
export interface EmbeddingRows extends AsyncDisposable {
  /**
   * @param tokenIds [N]
   * @returns [N, D] float32
   * @throws SepError `bad-checkpoint` for an id that the table has no row of, or if the file became shorter
   */
  read(tokenIds: readonly number[]): Float32Array;
}

/** Keeps the table's file open. @param table [V, D] F32, F16 or BF16 */
export async function openEmbeddingRows(table: StoredWeight): Promise<EmbeddingRows> {
  const { file, dtype, shape, byteOffset, byteLength } = table;
  const rowCount = shape[0] as number;
  const rowBytes = byteLength / rowCount;
  const handle = await open(file, "r");
  return {
    read(tokenIds) {
      const bytes = new Uint8Array(tokenIds.length * rowBytes);
      for (const [at, id] of tokenIds.entries()) {
        if (!(Number.isInteger(id) && id >= 0 && id < rowCount)) {
          throw new SepError(
            "bad-checkpoint",
            `${file}: no embedding of token ${id}, only of 0 to ${rowCount - 1}.`,
          );
        }
        // synchronous, since the forward pass that waits for it is, and the pages of a table in use are in memory
        const read = readSync(handle.fd, bytes, at * rowBytes, rowBytes, byteOffset + id * rowBytes);
        if (read < rowBytes) {
          throw new SepError(
            "bad-checkpoint",
            `${file} ends at token ${id}'s embedding: read ${read} of ${rowBytes} bytes. It became shorter after the model was loaded; download it again.`,
          );
        }
      }
      return decodeTensor(bytes, dtype as SafetensorsDtype);
    },
    [Symbol.asyncDispose]: () => handle.close(),
  };
}
