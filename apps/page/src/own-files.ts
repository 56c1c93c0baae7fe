import { unzipSync } from "fflate";
import { MOST_WEB_WEIGHTS } from "semantic-entropy-probes/engine";
import type { Files } from "./download.ts";

/** What is read of a model's folder in Hugging Face format, by its own name. */
const MODEL_FILE =
  /^((config|tokenizer|tokenizer_config|generation_config)\.json|chat_template\.jinja|model.*\.safetensors)$/;
/** A study has its probes under names of their own, such as `accuracy_probe.json`. */
const PROBE_FILE = /probe\.(json|safetensors)$/;

/**
 * Reads a model that the reader has chosen from disk: its files in Hugging Face format, perhaps with a probe's two, or
 * the `model.zip` of a page that `sep page --study` has written.
 * @returns the files by the names that a page's archive has for them
 * @throws Error naming what is missing, is too large, or is no such file
 */
export async function readOwnFiles(chosen: readonly File[]): Promise<Files> {
  const archive = chosen.find(({ name }) => name.endsWith(".zip"));
  if (archive !== undefined) return requireWhole(await unpack(archive));
  const named = new Map<string, File>();
  for (const file of chosen) {
    const name = nameInArchive(file.name);
    if (named.has(name))
      throw new Error(`${file.name} is a second file of its kind. Choose one model and one probe.`);
    named.set(name, file);
  }
  requireSize([...named].filter(([name]) => isWeights(name)).map(([, { size }]) => size));
  const read = [...named].map(async ([name, file]) => [name, await readBytes(file)] as const);
  return requireWhole(Object.fromEntries(await Promise.all(read)));
}

function nameInArchive(name: string): string {
  if (MODEL_FILE.test(name)) return name;
  const ending = PROBE_FILE.exec(name)?.[1];
  if (ending !== undefined) return `probe.${ending}`;
  const advice = name.endsWith(".gguf")
    ? "GGUF files are read by sep on Node only; most of these models are on the hub as safetensors, too."
    : "Choose the files of a model in Hugging Face format.";
  throw new Error(`${name} is no file that this page reads. ${advice}`);
}

export const isWeights = (name: string): boolean => /^model.*\.safetensors$/.test(name);

async function unpack(archive: File): Promise<Files> {
  requireSize([archive.size]);
  try {
    return unzipSync(await readBytes(archive));
  } catch (cause) {
    throw new Error(`${archive.name} is no zip archive that can be read.`, { cause });
  }
}

const readBytes = async (file: File): Promise<Uint8Array> => new Uint8Array(await file.arrayBuffer());

function requireSize(sizes: readonly number[]): void {
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (total <= MOST_WEB_WEIGHTS) return;
  const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(0);
  throw new Error(
    `The weights take ${megabytes(total)} MB, and a page holds ${megabytes(MOST_WEB_WEIGHTS)} MB at most. Choose a smaller model.`,
  );
}

function requireWhole(files: Files): Files {
  const missing = ["config.json", "tokenizer.json"].filter((name) => files[name] === undefined);
  if (!Object.keys(files).some(isWeights)) missing.push("model.safetensors");
  if ((files["probe.json"] === undefined) !== (files["probe.safetensors"] === undefined))
    missing.push("the probe's other file");
  if (missing.length === 0) return files;
  throw new Error(`The model's files lack ${missing.join(", ")}. Choose all of them together.`);
}
