import { stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { SepError } from "../errors.ts";
import { type Checkpoint, openCheckpointFolder } from "./checkpoint.ts";
import { openGgufCheckpoint } from "./gguf/open-gguf.ts";

/** Name of the model that ships with this package. */
export const POCKET_MODEL = "pocket";

/**
 * Opens what a model reference stands for: `pocket`, a folder in Hugging Face format, or a `.gguf` file.
 * @throws SepError `model-not-found`, and as the opener does
 */
export async function findCheckpoint(reference: string): Promise<Checkpoint> {
  if (reference === POCKET_MODEL) {
    return openCheckpointFolder(fileURLToPath(new URL("../../models/pocket", import.meta.url)));
  }
  const found = await stat(reference).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return null;
    throw error;
  });
  if (found?.isDirectory()) return openCheckpointFolder(reference);
  if (found?.isFile() && reference.toLowerCase().endsWith(".gguf")) return openGgufCheckpoint(reference);
  throw new SepError(
    "model-not-found",
    `No model "${reference}": expected "${POCKET_MODEL}" (the embedded model), a directory with config.json, tokenizer.json and model.safetensors, or a .gguf file.`,
  );
}
