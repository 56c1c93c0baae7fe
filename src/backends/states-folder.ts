import { access, constants } from "node:fs/promises";
import { tmpdir } from "node:os";

/** Where files of hidden states pass through: Linux's folder in memory, else the folder for temporary files. */
export async function statesFolder(): Promise<string> {
  const inMemory = "/dev/shm";
  return access(inMemory, constants.W_OK).then(
    () => inMemory,
    () => tmpdir(),
  );
}
