import { join } from "node:path";
import { SepError } from "../../errors.ts";
import { openRegularFile } from "../../store/regular-file.ts";
import type { FileChoice } from "../hub/file-choice.ts";
import { sizeIfThere } from "../hub/size-if-there.ts";
import { SHARD_INDEX, weightFileNames } from "../weight-index.ts";

/** Where an encoder's weights are within its folder. */
export interface EncoderWeightFiles {
  readonly kind: "safetensors" | "onnx";
  /** Relative to the folder, the main one first. */
  readonly files: readonly string[];
}

/**
 * Finds the weights that a choice of files prefers among those that a folder has.
 * @throws SepError `no-safetensors` if it has none of them, `bad-tokenizer` if its tokenizer is in another format,
 *   `bad-checkpoint` for an export that is no regular file
 */
export async function findEncoderWeights(
  folder: string,
  { weights }: FileChoice,
): Promise<EncoderWeightFiles> {
  const isThere = async (name: string): Promise<boolean> => (await sizeIfThere(join(folder, name))) !== null;
  if (!(await isThere("tokenizer.json")) && (await isThere("spm.model"))) {
    throw new SepError(
      "bad-tokenizer",
      `${folder} has spm.model and no tokenizer.json, which the local engine reads. In Python, transformers' AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER) writes it.`,
    );
  }
  for (const name of weights) {
    if (!(await isThere(name))) continue;
    if (name === SHARD_INDEX) return { kind: "safetensors", files: await weightFileNames(folder) };
    if (name.endsWith(".safetensors")) return { kind: "safetensors", files: [name] };
    // ONNX keeps what does not fit into one file beside it
    const files = [name];
    for (const data of [`${name}_data`, `${name}.data`]) if (await isThere(data)) files.push(data);
    // onnxruntime would wait for a FIFO for ever
    for (const file of files) await (await openRegularFile(join(folder, file), "bad-checkpoint")).close();
    return { kind: "onnx", files };
  }
  const pytorch = (await isThere("pytorch_model.bin"))
    ? " It has pytorch_model.bin, which can run code when it is loaded, and is not read here."
    : "";
  throw new SepError(
    "no-safetensors",
    `${folder} has none of ${weights.join(", ")}.${pytorch} In Python, transformers' AutoModel…from_pretrained(FOLDER).save_pretrained(FOLDER) writes model.safetensors.`,
  );
}
