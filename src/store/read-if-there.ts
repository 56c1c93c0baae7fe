import { createReadStream } from "node:fs";
import { SepError } from "../errors.ts";
import { errnoOf, explainFileError } from "./file-error.ts";

/**
 * A small file's text, or null where there is no such file.
 * @throws SepError `bad-artefact` if it is larger than `mostBytes`; `explainFileError`'s
 */
export async function readIfThere(
  path: string,
  { mostBytes = MOST_BYTES }: { readonly mostBytes?: number } = {},
): Promise<string | null> {
  return (await readBytesIfThere(path, mostBytes))?.toString("utf8") ?? null;
}

/** The same for bytes. No more than that is read, whatever the file is. */
export async function readBytesIfThere(path: string, mostBytes: number): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  try {
    for await (const chunk of createReadStream(path, { end: mostBytes })) {
      chunks.push(chunk as Buffer);
      sizeBytes += (chunk as Buffer).length;
    }
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return null;
    throw explainFileError(error, path);
  }
  if (sizeBytes <= mostBytes) return Buffer.concat(chunks);
  throw new SepError(
    "bad-artefact",
    `${path} has more than ${mostBytes} bytes, which no such file has. Is it the right one? If so, make it anew.`,
  );
}

/** Manifests, settings, templates: kilobytes. JSON takes up to thirty times its size in memory. */
const MOST_BYTES = 1 << 24;
