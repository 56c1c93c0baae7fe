import { basename, dirname, join } from "node:path";
import { SepError } from "../errors.ts";
import { type Json, stableStringify } from "../formats/json.ts";
import { fingerprintFile } from "../store/fingerprint.ts";
import { readBytesIfThere } from "../store/read-if-there.ts";
import { writeSafetensors } from "../store/safetensors.ts";
import { writeAtomic } from "../store/write-atomic.ts";
import { PROBE_FORMAT, parseStoredProbe, requireTrained } from "./parse-probe.ts";
import type { Probe, UntrainedProbe } from "./probe.ts";
import { splitProbe } from "./split-probe.ts";

/** Where the weights of a probe are kept: beside its JSON, under the same name. */
export const weightsPathOf = (jsonPath: string): string => jsonPath.replace(/\.json$/, ".safetensors");

/**
 * Writes a probe: its weights to `*.safetensors` (no tensors if untrained), then its JSON with their hash.
 */
export async function saveProbe(path: string, probe: Probe | UntrainedProbe): Promise<void> {
  const weightsPath = weightsPathOf(path);
  const { description, tensors } =
    probe.kind === "untrained"
      ? { description: { ...probe } as unknown as Record<string, Json>, tensors: [] }
      : splitProbe(probe);
  await writeSafetensors(
    weightsPath,
    tensors.map((tensor) => ({ ...tensor, dtype: "F32" })),
  );
  const weights = { file: basename(weightsPath), sha256: await fingerprintFile(weightsPath) };
  await writeAtomic(path, `${stableStringify({ ...PROBE_FORMAT, ...description, weights }, 2)}\n`);
}

/**
 * Reads a probe and its weights.
 * @throws SepError `missing-input`, `bad-artefact` if the file is no probe or its weights were changed, `one-class`
 * if it could not be trained
 */
export async function loadProbe(path: string): Promise<Probe> {
  return requireTrained(await readProbeFile(path), path);
}

/** As {@link loadProbe}, but hands back the stand-in of a probe that could not be trained. */
export async function readProbeFile(path: string): Promise<Probe | UntrainedProbe> {
  const json = (await readOrExplain(path, MOST_JSON_BYTES)).toString("utf8");
  const weightsPath = await findWeights(path, json);
  const weights =
    weightsPath === null ? new Uint8Array() : await readOrExplain(weightsPath, MOST_WEIGHTS_BYTES);
  return parseStoredProbe(json, weights, { json: path, weights: weightsPath ?? path });
}

/** The weights lie beside the JSON file, under the name that is in it. @returns null where it has none */
async function findWeights(path: string, json: string): Promise<string | null> {
  try {
    const { weights, kind } = JSON.parse(json) as { weights?: { file?: unknown }; kind?: unknown };
    const isThere = kind !== "untrained" && typeof weights?.file === "string";
    // a name, never a way out of the folder: the file may come from somebody else
    return isThere ? join(dirname(path), basename(weights.file as string)) : null;
  } catch {
    return null; // whoever parses it says what is wrong
  }
}

/** The JSON file has two numbers a validation answer at most. */
const MOST_JSON_BYTES = 1 << 24;
/** A network of 256 units on 100 layers of 10,000 numbers. */
const MOST_WEIGHTS_BYTES = 1 << 30;

async function readOrExplain(path: string, mostBytes: number): Promise<Buffer> {
  const bytes = await readBytesIfThere(path, mostBytes);
  if (bytes !== null) return bytes;
  throw new SepError("missing-input", `${path} does not exist. Make it with \`sep train\`.`);
}
