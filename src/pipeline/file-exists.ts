import { stat } from "node:fs/promises";

/** Whether there is a file at a path. Errors other than its absence are thrown. */
export async function fileExists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}
