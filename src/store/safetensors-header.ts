import type { SepErrorCode } from "../errors.ts";
import {
  LENGTH_BYTES,
  locateData,
  parseSafetensorsHeader,
  refuseSafetensors,
  type SafetensorsHeader,
} from "../formats/parse-safetensors.ts";
import { readExactly } from "./read-exactly.ts";
import { openRegularFile } from "./regular-file.ts";

/**
 * Reads and checks a safetensors header: every length, offset and shape is held against the bytes that there
 * are, and the tensors must fill the file without gap or overlap, as the format asks.
 * @throws SepError with `code` (the caller knows whether the file is a checkpoint or an artefact), naming the
 *   offending value and its bound
 * @see https://huggingface.co/docs/safetensors, "Format"
 */
export async function readSafetensorsHeader(
  path: string,
  { code = "bad-artefact" }: { readonly code?: SepErrorCode } = {},
): Promise<SafetensorsHeader> {
  const fail = refuseSafetensors(path, code);
  const file = await openRegularFile(path, code);
  try {
    const { size } = await file.stat();
    const dataBegin = locateData(await readExactly(file, 0, Math.min(LENGTH_BYTES, size)), size, fail);
    const text = await readExactly(file, LENGTH_BYTES, dataBegin - LENGTH_BYTES);
    return parseSafetensorsHeader(text, dataBegin, size, fail);
  } finally {
    await file.close();
  }
}
